// Several sockets behind one server: each further socket gets a bare net.Server, which hands every connection to the one that
// the program knows. Connections are counted there too, so that its close(), getConnections() and maxConnections mean all.

import { type DropArgument, Server, type ServerOpts, type Socket } from 'node:net'
import { onCloseCall } from './on-close-call.ts'

/** Node's own book-keeping, the same in versions 20 to 26. */
interface Counting {
  _connections: number
}

interface Belonging {
  server: Server
  _server: Server
}

/** What net.Server keeps of its options, under the options' names. */
const OPTIONS = [
  'allowHalfOpen',
  'pauseOnConnect',
  'noDelay',
  'keepAlive',
  'keepAliveInitialDelay',
  'highWaterMark',
  'blockList',
] as const

export class ExtraListeners {
  readonly servers: Server[]
  readonly #main: Server
  #endCloseCall: (() => void) | undefined

  constructor(main: Server, count: number) {
    this.#main = main
    this.servers = Array.from({ length: count }, () => this.#extra())
    if (count > 0) this.#closeWithMain()
  }

  /** One more, which listens on nothing yet. */
  add(): Server {
    const extra = this.#extra()
    this.servers.push(extra)
    if (this.servers.length === 1) this.#closeWithMain()
    return extra
  }

  remove(extra: Server): void {
    this.servers.splice(this.servers.indexOf(extra), 1)
    if (extra.listening) extra.close()
  }

  close(): void {
    this.#endCloseCall?.()
    this.#endCloseCall = undefined
    for (const server of this.servers) if (server.listening) server.close()
  }

  #extra(): Server {
    const kept = this.#main as unknown as Record<string, unknown>
    const options = OPTIONS.filter((name) => kept[name] !== undefined).map((name) => [name, kept[name]])
    const extra = new Server(Object.fromEntries(options) as ServerOpts)
    extra.on('connection', (socket) => this.#handOver(extra, socket))
    return extra
  }

  #handOver(extra: Server, socket: Socket): void {
    const main = this.#main
    const counts = main as unknown as Counting
    if (main.maxConnections != null && counts._connections >= main.maxConnections) {
      main.emit('drop', dropped(socket))
      socket.destroy()
      return
    }
    Object.assign(socket as unknown as Belonging, { server: main, _server: main })
    ;(extra as unknown as Counting)._connections--
    counts._connections++
    main.emit('connection', socket)
  }

  #closeWithMain(): void {
    this.#endCloseCall ??= onCloseCall(this.#main, () => this.close())
  }
}

function dropped(socket: Socket): DropArgument {
  const { localAddress, localPort, localFamily, remoteAddress, remotePort, remoteFamily } = socket
  return { localAddress, localPort, localFamily, remoteAddress, remotePort, remoteFamily } as DropArgument
}
