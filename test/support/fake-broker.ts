// A broker for the SDK's tests: it owns a few loopback sockets and answers by a script, so that a test can make it silent, late,
// wrong, or gone. It knows nothing of policy or generations.

import { decodeRequest } from '../../src/protocol/decode.ts'
import { encode } from '../../src/protocol/encode.ts'
import type { SocketDescription } from '../../src/protocol/messages.ts'
import { addon, constants as C } from '../../src/sys/addon.ts'
import { Channel, ControlListener, check, OwnedFd, socketCookie } from '../../src/sys/index.ts'

export interface BrokerSocket {
  fd: OwnedFd
  description: SocketDescription
}

export type Request = Record<string, unknown> & { id: number; op: string }

/** Answers one request; what it returns is sent, undefined is silence. */
export type Handler = (request: Request, peer: FakePeer) => object | undefined

/** One connection, from the broker's side. */
export class FakePeer {
  readonly channel: Channel
  readonly requests: Request[] = []

  constructor(fd: OwnedFd, handler: Handler, onClose: () => void) {
    const message = (bytes: Uint8Array, { truncated }: { truncated: boolean }) => {
      const decoded = decodeRequest(bytes, truncated)
      if ('fault' in decoded) throw new Error(decoded.fault)
      const request = { ...decoded.body } as Request
      this.requests.push(request)
      const answer = handler(request, this)
      if (answer) this.send({ id: request.id, ok: true, ...answer })
    }
    this.channel = new Channel(fd, { message, close: onClose }, { receiveLimit: 16 * 1024, acceptFds: false })
  }

  send(message: object, fds: readonly OwnedFd[] = []): void {
    this.channel.send(
      encode(message),
      fds.map(({ fd }) => fd),
    )
  }

  /** Sends a grant of `sockets` in one packet; `extra` adds to it or replaces. */
  grant(request: Request, sockets: readonly BrokerSocket[], extra: object = {}): undefined {
    const rest = {
      lease: request.id,
      name: request.name ?? 'web',
      generation: 'g1',
      state: 'granted',
      readyWithin: 60_000,
    }
    const descriptions = sockets.map(({ description }) => description)
    const message = { id: request.id, ok: true, ...rest, sockets: descriptions, ...extra }
    this.send(
      message,
      sockets.map(({ fd }) => fd),
    )
  }
}

export class FakeBroker {
  readonly path: string
  readonly peers: FakePeer[] = []
  /** The connections that live. */
  readonly open = new Set<FakePeer>()
  readonly #listener: ControlListener

  constructor(path: string, handler: Handler) {
    this.path = path
    this.#listener = ControlListener.listen(path, 0o666, (fd) => {
      const peer: FakePeer = new FakePeer(fd, handler, () => this.open.delete(peer))
      this.peers.push(peer)
      this.open.add(peer)
    })
  }

  /** Every request so far, over all connections. */
  get requests(): Request[] {
    return this.peers.flatMap(({ requests }) => requests)
  }

  dropConnections(): void {
    for (const peer of this.open) peer.channel.close()
  }

  close(): void {
    this.dropConnections()
    this.#listener.close()
  }
}

/** Answers as a broker that has the given sockets for every name; `override` goes first. */
export function granting(
  sockets: readonly BrokerSocket[],
  override: Handler = () => undefined,
  silent: string[] = [],
): Handler {
  return (request, peer) => {
    const answer = override(request, peer)
    if (answer || silent.includes(request.op)) return answer
    switch (request.op) {
      case 'hello':
        return { version: 1, broker: 'fake', pid: process.pid, features: [] }
      case 'acquire':
        return peer.grant(request, sockets, request.ready === true ? { state: 'ready' } : {})
      case 'sockets':
        return peer.grant(request, sockets)
      case 'ready':
        return { state: 'ready', promoted: true }
      case 'list':
        return { sockets: [] }
      case 'holders':
        return { holders: [] }
      default:
        return {}
    }
  }
}

const SCHEMES = { tcp: C.SOCK_STREAM, udp: C.SOCK_DGRAM, unix: C.SOCK_STREAM, 'unix-dgram': C.SOCK_DGRAM } as const

/** A loopback socket that listens (or is bound), on a port that the kernel picks, or at a path. */
export function bindSocket(type: keyof typeof SCHEMES, host = '127.0.0.1', backlog = 77): BrokerSocket {
  const unix = type.startsWith('unix')
  const family = unix ? C.AF_UNIX : host.includes(':') ? C.AF_INET6 : C.AF_INET
  const fd = new OwnedFd(check(addon.socket(family, SCHEMES[type], 0), 'socket'))
  check(addon.bind(fd.fd, family, host, 0), 'bind')
  const listens = SCHEMES[type] === C.SOCK_STREAM
  if (listens) check(addon.listen(fd.fd, backlog), 'listen')
  const { port } = addon.getsockname(fd.fd) as { port: number }
  const address = unix ? `${type}://${host}` : `${type}://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { fd, description: { type, address, backlog: listens ? backlog : 0, cookie: socketCookie(fd.fd) } }
}

export function portOf({ description }: BrokerSocket): number {
  return Number(description.address.split(':').at(-1))
}
