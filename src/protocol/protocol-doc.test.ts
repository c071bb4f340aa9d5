// The document cannot lie: its packets are compared with bytes built by hand and with the broker's own encoder and decoder.

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type Bytes, fields, fixext, hex, int, packet, str, value } from '../../test/support/msgpack.ts'
import { decodeMessage, decodeRequest } from './decode.ts'
import { encode } from './encode.ts'
import { ERRORS } from './errors.ts'
import { isOp, shapeFault, VERBS } from './messages.ts'

const DOCUMENT = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
const BLOCKS = new Map(
  [...DOCUMENT.matchAll(/^```hex (\S+)\n([\s\S]*?)^```$/gm)].map(([, name, text]) => [name!, hex(text!)]),
)

const DEADLINE = 1_763_758_894_976
const SOCKET = { type: 'tcp', address: 'tcp://127.0.0.1:8080', backlog: 4096, cookie: '0000000000001002' }
const GRANT = {
  lease: 17,
  name: 'web',
  generation: 'g1',
  state: 'granted',
  readyWithin: 60_000,
  mode: 'shared',
  sockets: [SOCKET],
}

const REQUESTS = {
  'hello-request': { id: 1, op: 'hello', version: 1, client: 'demo' },
  'acquire-request': { id: 2, op: 'acquire', name: 'web' },
  'reclaim-hello': { id: 1, op: 'hello', version: 1, leases: [17] },
  'reclaim-request': { id: 2, op: 'reclaim', lease: 17, name: 'web' },
  'refusal-request': { id: 3, op: 'acquire', name: 'db' },
}

const SENT_BY_BROKER = {
  'hello-answer': { id: 1, ok: true, version: 1, broker: 'fd-broker/0.1.0', pid: 4242, features: [] },
  'acquire-answer': { id: 2, ok: true, ...GRANT },
  'reclaim-answer': { id: 2, ok: true, ...GRANT, state: 'ready' },
  refusal: { id: 3, ok: false, code: 'DENIED', message: 'not allowed' },
  'drain-event': { event: 'drain', lease: 17, reason: 'takeover', deadline: DEADLINE },
  'malformed-answer': { id: 4, ok: false, code: 'PROTOCOL', message: 'malformed packet: it holds an extension type' },
}

/** Those whose bytes are not simply the shortest form. */
const BY_HAND: Record<string, Bytes> = {
  'drain-event': fields({
    event: str('drain'),
    lease: int(17),
    reason: str('takeover'),
    deadline: int(DEADLINE, 'i64'),
  }),
}

it('has exactly the worked packets that are checked here', () => {
  const checked = [...Object.keys(REQUESTS), ...Object.keys(SENT_BY_BROKER), 'malformed-request']
  expect([...BLOCKS.keys()].sort()).toEqual(checked.sort())
})

it.each(Object.entries(REQUESTS))(
  'shows %s as another encoder writes it and as the broker reads it',
  (name, message) => {
    const bytes = BLOCKS.get(name)!
    expect(bytes).toEqual(packet(value(message)))
    expect(decodeRequest(bytes, false)).toEqual({ id: message.id, body: message, floats: [] })
    if (!isOp(message.op)) throw new Error(`${message.op} is no verb`)
    expect(shapeFault(message.op, message, [])).toBeUndefined()
  },
)

it.each(Object.entries(SENT_BY_BROKER))(
  'shows %s as the broker writes it and as a client reads it',
  (name, message) => {
    const bytes = BLOCKS.get(name)!
    expect(bytes).toEqual(packet(BY_HAND[name] ?? value(message)))
    expect(new Uint8Array(encode(message))).toEqual(bytes)
    expect(decodeMessage(bytes, false)).toEqual(message)
  },
)

it('shows a malformed packet that is refused for the reason in its answer', () => {
  const bytes = BLOCKS.get('malformed-request')!
  expect(bytes).toEqual(packet(fields({ op: str('list'), at: fixext(-1, [0x69, 0x20, 0xd2, 0x50]), id: int(4) })))
  const answer = SENT_BY_BROKER['malformed-answer']
  expect(decodeRequest(bytes, false)).toEqual({
    id: answer.id,
    fault: answer.message.replace('malformed packet: ', ''),
  })
})

it('has the error table', () => {
  const rows = DOCUMENT.matchAll(/^\| `([A-Z_]+)` \| ([^|]+) \| (yes|no) \| (\d+) \|$/gm)
  const documented = [...rows].map(([, code, meaning, closes, exit]) => [
    code,
    { meaning, closes: closes === 'yes', exit: Number(exit) },
  ])
  const table = Object.entries(ERRORS).map(([code, { meaning, closes, exit }]) => [code, { meaning, closes, exit }])
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(table))
})

it('gives each verb of this version a section with all of its arguments, and names every other as optional', () => {
  const optional = [...DOCUMENT.match(/^`reclaim`.*$/m)![0].matchAll(/`(\w+)`/g)].map(([, op]) => op!)
  const sections = new Map(
    [...DOCUMENT.matchAll(/^### `(\w+)`\n([\s\S]*?)(?=^##)/gm)].map(([, op, text]) => [op!, text!]),
  )
  expect([...sections.keys(), ...optional].sort()).toEqual(Object.keys(VERBS).sort())
  for (const [op, text] of sections) {
    const documented = [...text.matchAll(/^\| `(\w+)` \| [^|?]+(\?)? \|/gm)].map(([, key, mark]) => [
      key,
      mark === undefined,
    ])
    const row: Record<string, { required?: true }> = isOp(op) ? VERBS[op] : {}
    const table = Object.entries(row).map(([key, { required }]) => [key, required === true])
    expect(documented).toEqual(table)
  }
})
