// `Connection: close` on an answer, whatever headers the program gives, and an end of the connection that the client survives.

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** How long a client that was answered before it had sent all of its request may go on sending. */
const LINGER = 2000

type Headers = OutgoingHttpHeaders | unknown[]

/** `isLast` is asked when the head is written: whether no other request waits on the connection. */
export function announceClose(response: ServerResponse, request: IncomingMessage, isLast: () => boolean): void {
  if (response.headersSent) return
  // Implicit heads come through writeHead too. Proxies pass `Connection: keep-alive` on, which would win over shouldKeepAlive.
  const { writeHead } = response as unknown as { writeHead(...args: unknown[]): ServerResponse }
  const announcing = (...args: unknown[]) => {
    if (!isLast()) return writeHead.apply(response, args)
    // As Node takes them: without a reason the headers may stand in its place.
    const [status, reason, headers] = args
    const said = typeof reason === 'string' ? [reason] : []
    const given = headers ?? (said.length > 0 ? undefined : reason)
    linger(response.socket, request)
    response.removeHeader('Connection')
    return writeHead.apply(response, [status, ...said, closing((given ?? {}) as Headers)])
  }
  response.writeHead = announcing as typeof response.writeHead
}

function closing(headers: Headers): Headers {
  const isConnection = (name: unknown) => String(name).toLowerCase() === 'connection'
  if (!Array.isArray(headers)) {
    const others = Object.entries(headers).filter(([name]) => !isConnection(name))
    return { ...Object.fromEntries(others), Connection: 'close' }
  }
  // writeHead() takes pairs, or names and values in turn.
  if (Array.isArray(headers[0])) {
    return [...headers.filter((pair) => !isConnection((pair as unknown[])[0])), ['Connection', 'close']]
  }
  return [...headers.filter((_, at) => !isConnection(headers[at - (at % 2)])), 'Connection', 'close']
}

/** Node closes after the last answer, also with bytes unread, which the kernel answers with a reset: they are read first. */
function linger(socket: Socket | null, request: IncomingMessage): void {
  if (!socket || Object.hasOwn(socket, 'destroySoon')) return
  socket.destroySoon = () => {
    Reflect.deleteProperty(socket, 'destroySoon')
    if (request.complete || request.destroyed) return socket.destroySoon()
    const timer = setTimeout(() => socket.destroy(), LINGER)
    socket.once('close', () => clearTimeout(timer))
    request.once('close', () => socket.destroySoon())
    request.resume()
    socket.end()
  }
}
