// A client of HTTP/2 without TLS (RFC 9113) that sends when it says so and never retries. Node's own holds a request back until the
// loop has polled, and drops it (REFUSED_STREAM) when a GOAWAY was read meanwhile: which requests were on the wire
// could not be told.

import { connect } from 'node:net'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const TYPES = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, window: 8 }
const ACK = 1
const END_STREAM = 1
/** END_STREAM and END_HEADERS. */
const WHOLE = 5
/** `:method GET`, `:scheme http`, `:path /`, `:authority h`: rows of the static table (RFC 7541, appendix A) and one literal. */
const REQUEST = Buffer.from([0x82, 0x86, 0x84, 0x41, 0x01, 0x68])
/** `:status 200` is row 8. */
const STATUS_200 = 0x88
/** A server that ignores a stream after its GOAWAY says nothing more about it. */
const PATIENCE = 2000

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

export class Http2Client {
  /** The server said GOAWAY, or the connection is over: open another. */
  told = false
  /** The last-stream-ids of the GOAWAYs, in order. */
  goaways = []
  #socket
  #next = 1
  #bytes = Buffer.alloc(0)
  /** What ends the wait for each stream: `true` for status 200. */
  #open = new Map()

  constructor(port) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.setNoDelay(true)
    this.#socket.on('data', (bytes) => this.#take(bytes))
    this.#socket.on('error', () => {})
    this.#socket.on('close', () => this.#over())
    this.#socket.write(PREFACE)
    const window = Buffer.from([0x3f, 0xff, 0, 0])
    this.#socket.write(Buffer.concat([frame(TYPES.settings, 0, 0), frame(TYPES.window, 0, 0, window)]))
  }

  /** Writes a request to the socket at once. Resolves with whether it was answered in time, with status 200. */
  request() {
    const stream = this.#next
    this.#next += 2
    this.#socket.write(frame(TYPES.headers, WHOLE, stream, REQUEST))
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#end(stream, false), PATIENCE)
      this.#open.set(stream, { resolve, timer, ok: false })
    })
  }

  close() {
    this.#socket.destroy()
  }

  #take(bytes) {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    while (this.#bytes.length >= 9) {
      const end = 9 + this.#bytes.readUIntBE(0, 3)
      if (this.#bytes.length < end) return
      const [type, flags] = [this.#bytes[3], this.#bytes[4]]
      this.#frame(type, flags, this.#bytes.readUInt32BE(5), this.#bytes.subarray(9, end))
      this.#bytes = this.#bytes.subarray(end)
    }
  }

  #frame(type, flags, stream, payload) {
    if (type === TYPES.settings && !(flags & ACK)) this.#socket.write(frame(TYPES.settings, ACK, 0))
    if (type === TYPES.ping && !(flags & ACK)) this.#socket.write(frame(TYPES.ping, ACK, 0, payload))
    if (type === TYPES.goaway) this.#goaway(payload.readUInt32BE(0))
    const open = this.#open.get(stream)
    if (!open) return
    if (type === TYPES.headers) open.ok = payload[0] === STATUS_200
    if (type === TYPES.reset) this.#end(stream, false)
    else if ((type === TYPES.data || type === TYPES.headers) && flags & END_STREAM) this.#end(stream, open.ok)
  }

  #goaway(last) {
    this.told = true
    this.goaways.push(last)
    for (const stream of [...this.#open.keys()]) if (stream > last) this.#end(stream, false)
    if (this.#open.size === 0) this.#socket.end()
  }

  #end(stream, ok) {
    const { resolve, timer } = this.#open.get(stream)
    clearTimeout(timer)
    resolve(ok)
    this.#open.delete(stream)
    if (this.told && this.#open.size === 0) this.#socket.end()
  }

  #over() {
    this.told = true
    for (const stream of [...this.#open.keys()]) this.#end(stream, false)
  }
}
