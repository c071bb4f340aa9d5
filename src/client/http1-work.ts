// What goes on in HTTP/1 connections, and how they end without a client ever seeing a reset. Node's facts (20 to 26):
// http's close() drops every idle connection at once, while a request may be on its way on it; `Connection: close` on an answer
// is what a client obeys without a race; a socket closed with bytes unread is reset, and the client may lose the answer.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { announceClose } from './announce-close.ts'
import { nextPoll } from './next-poll.ts'

/** Published by node:http for every request that is to be answered, before any listener of the server hears of it. */
const REQUEST_START = 'http.server.request.start'

interface RequestStart {
  request: IncomingMessage
  response: ServerResponse
  socket: Socket
}

export class Http1Work {
  readonly #connections = new Map<Socket, Http1Connection>()
  readonly #isOurs: (socket: Socket) => boolean
  readonly #onStart = (message: unknown) => this.#begin(message as RequestStart)
  #dismissed = false

  /** `isOurs`: whether a connection is the server's, for one that a request makes known as HTTP. */
  constructor(isOurs: (socket: Socket) => boolean) {
    this.#isOurs = isOurs
    subscribe(REQUEST_START, this.#onStart)
  }

  add(socket: Socket): Http1Connection {
    const connection = new Http1Connection(socket)
    this.#connections.set(socket, connection)
    socket.once('close', () => this.#connections.delete(socket))
    return connection
  }

  /** Every answer whose head is not sent yet says `Connection: close` from now on. */
  dismiss(): void {
    this.#dismissed = true
    for (const connection of this.#connections.values()) connection.dismiss()
  }

  /** How many wait for a request of which nothing has come, since `since` (performance.now()) at least. */
  idle(since: number): number {
    return this.#idle(since).length
  }

  /** One after each poll of the loop, so that hardly a request has the time to arrive unseen. */
  async closeIdle(since: number): Promise<void> {
    for (const connection of this.#idle(since)) {
      await nextPoll()
      if (connection.isIdle(since)) connection.close()
    }
  }

  /** Ends the watch. */
  end(): void {
    unsubscribe(REQUEST_START, this.#onStart)
  }

  #idle(since: number): Http1Connection[] {
    return [...this.#connections.values()].filter((connection) => connection.isIdle(since))
  }

  #begin({ request, response, socket }: RequestStart): void {
    const connection = this.#connections.get(socket) ?? (this.#isOurs(socket) ? this.add(socket) : undefined)
    connection?.begin(request, response)
    if (this.#dismissed) connection?.dismiss()
  }
}

class Http1Connection {
  readonly #socket: Socket
  /** Not answered yet, in the order of their requests; more than one where the client pipelines. */
  readonly #open = new Map<ServerResponse, IncomingMessage>()
  readonly #dismissed = new WeakSet<ServerResponse>()
  #idleSince = performance.now()
  /** Bytes received when the last request was done: one more, and a request (or an upgraded protocol) is under way. */
  #idleBytes: number
  #closed = false

  constructor(socket: Socket) {
    this.#socket = socket
    this.#idleBytes = socket.bytesRead
  }

  begin(request: IncomingMessage, response: ServerResponse): void {
    this.#open.set(response, request)
    response.once('close', () => {
      this.#open.delete(response)
      this.#rest()
      // Answered before it had come whole: the rest of its body is no new request.
      if (!request.complete) request.once('close', () => this.#rest())
    })
  }

  dismiss(): void {
    for (const [response, request] of this.#open) {
      if (this.#dismissed.has(response)) continue
      this.#dismissed.add(response)
      // A pipelined request behind this one is still to be answered.
      announceClose(response, request, () => [...this.#open.keys()].at(-1) === response)
    }
  }

  isIdle(since: number): boolean {
    if (this.#closed || this.#open.size > 0 || this.#idleSince > since) return false
    return this.#socket.bytesRead === this.#idleBytes && this.#socket.writableLength === 0
  }

  /**
   * destroy() closes in this very turn. end() would leave it to a later one, and a request that comes until then would be performed
   * and never answered; TLS has a goodbye to say first, so there nothing is read any more.
   */
  close(): void {
    this.#closed = true
    if ((this.#socket as Partial<TLSSocket>).encrypted !== true) return void this.#socket.destroy()
    const { _handle: handle } = this.#socket as unknown as { _handle: { readStop(): void } | null }
    handle?.readStop()
    this.#socket.destroySoon()
  }

  #rest(): void {
    this.#idleSince = performance.now()
    this.#idleBytes = this.#socket.bytesRead
  }
}
