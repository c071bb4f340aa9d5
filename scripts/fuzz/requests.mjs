// Valid requests of every verb with every key, by an encoder of its own.

function encode(value) {
  if (value === null) return [0xc0]
  if (typeof value === 'boolean') return [value ? 0xc3 : 0xc2]
  if (typeof value === 'number') return integer(value)
  if (typeof value === 'string') return text(Buffer.from(value))
  if (Array.isArray(value)) return [0x90 + value.length, ...value.flatMap(encode)]
  const entries = Object.entries(value)
  return [0x80 + entries.length, ...entries.flatMap(([key, item]) => [...encode(key), ...encode(item)])]
}

function integer(value) {
  if (value >= -32 && value < 128) return [value & 0xff]
  const bytes = Buffer.alloc(5, value < 0 ? 0xd2 : 0xce)
  if (value < 0) bytes.writeInt32BE(value, 1)
  else bytes.writeUInt32BE(value, 1)
  return [...bytes]
}

const text = (bytes) => (bytes.length < 32 ? [0xa0 + bytes.length, ...bytes] : [0xd9, bytes.length, ...bytes])

/** Those that a live broker survives, and that outlive no connection. */
const HARMLESS = [
  { op: 'hello', version: 1, client: 'fuzz', token: 'x'.repeat(43), leases: [1, 2, 300] },
  { op: 'acquire', name: 'web', wait: 0 },
  { op: 'acquire', name: 'one', wait: -1, label: 'ä', ready: false },
  { op: 'acquire', name: 'web', takeover: true, generation: 'v2', ready: true },
  { op: 'ready', lease: 1 },
  { op: 'release', lease: 70_000 },
  { op: 'sockets', lease: 2 },
  { op: 'reclaim', lease: 3, name: 'web' },
  { op: 'list' },
  { op: 'holders', name: 'web' },
  { op: 'stats' },
  { op: 'events' },
  { op: 'drain', name: 'web', timeout: 100 },
  { op: 'drain', lease: 1 },
  { op: 'pause', name: 'one', drain: true },
  { op: 'resume', name: 'one' },
]

const OTHERS = [
  { op: 'acquire', name: 'web', bind: 'process', drainSignal: 'TERM', readyAfter: 5000 },
  { op: 'reload' },
  { op: 'upgrade' },
  { op: 'shutdown' },
]

const encoded = (requests) => requests.map((request, at) => encode({ id: at + 1, ...request }))

export const HELLO = Uint8Array.from(encode({ id: 0, op: 'hello', version: 1 }))
export const HARMLESS_REQUESTS = encoded(HARMLESS)
export const REQUESTS = encoded([...HARMLESS, ...OTHERS])
