// The connections that a server has accepted, of whatever protocol: how they are asked to end, and how they are cut.

import { Socket as DatagramSocket } from 'node:dgram'
import type { ServerHttp2Session } from 'node:http2'
import type { Socket, Server as StreamServer } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Http1Work } from './http1-work.ts'
import { Http2Work } from './http2-work.ts'
import type { Server } from './listening.ts'
import { startTimer } from './timer.ts'

/** How often idle connections are looked for while draining. */
const SWEEP = 20

export interface DrainTimes {
  /** Milliseconds that a connection must be idle, counted from the drain at the earliest. */
  grace: number
  /** Milliseconds until HTTP/2 sessions that are never idle are told. */
  half: number
}

export class ServerWork {
  readonly #server: Server
  readonly #open = new Set<Socket>()
  readonly #http1 = new Http1Work((socket) => this.#open.has(socket) || this.#secured.has(socket))
  readonly #http2 = new Http2Work()
  readonly #secured = new WeakSet<Socket>()
  #whenEmpty: (() => void) | undefined
  #sweep: NodeJS.Timeout | undefined
  #turn: NodeJS.Timeout | undefined
  #ended = false

  /** To be made before the server listens, so that no connection is missed. */
  constructor(server: Server) {
    this.#server = server
    if (server instanceof DatagramSocket) return
    server.on('connection', this.#onConnection)
    server.on('secureConnection', this.#onSecure)
    server.on('session', this.#onSession)
  }

  /**
   * Tells clients to go elsewhere, closes what has been idle for the grace, and resolves when no connection is left.
   * A connection on which anything is under way, an upgraded one too, ends by itself.
   */
  finish({ grace, half }: DrainTimes): Promise<void> {
    const start = performance.now()
    this.#http1.dismiss()
    this.#http2.dismiss(grace)
    const sweep = async () => {
      const since = performance.now() - grace
      if (since >= start) await Promise.all([this.#http1.closeIdle(since), this.#http2.closeIdle(since)])
      if (!this.#ended) this.#sweep = setTimeout(sweep, SWEEP)
    }
    this.#sweep = setTimeout(sweep, SWEEP)
    this.#turn = startTimer(() => this.#http2.closeAll(), half)
    return new Promise((resolve) => {
      this.#whenEmpty = resolve
      if (this.#open.size === 0) resolve()
    })
  }

  /** Destroys every connection. Returns how many of them had something under way. */
  cut(): number {
    const now = performance.now()
    const unfinished = this.#open.size - this.#http1.idle(now) - this.#http2.idle(now)
    for (const socket of this.#open) socket.destroy()
    return unfinished
  }

  /** Ends the watch; the server may be used for something else. */
  end(): void {
    this.#ended = true
    clearTimeout(this.#sweep)
    clearTimeout(this.#turn)
    this.#http1.end()
    const server = this.#server as StreamServer
    server.off('connection', this.#onConnection)
    server.off('secureConnection', this.#onSecure)
    server.off('session', this.#onSession)
  }

  // http and https are not imported: they are most of what an import of the SDK would cost, and who has such a server has them.
  readonly #onConnection = (socket: Socket) => {
    this.#open.add(socket)
    socket.once('close', () => {
      this.#open.delete(socket)
      if (this.#open.size === 0) this.#whenEmpty?.()
    })
    if (this.#server instanceof process.getBuiltinModule('node:http').Server) this.#http1.add(socket)
  }

  readonly #onSecure = (socket: TLSSocket) => {
    this.#secured.add(socket)
    if (this.#server instanceof process.getBuiltinModule('node:https').Server) this.#http1.add(socket)
  }

  readonly #onSession = (session: ServerHttp2Session) => this.#http2.add(session)
}
