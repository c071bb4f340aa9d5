// GET /metrics, for Prometheus, on loopback or a Unix socket: read-only, and small enough to be left alone with strangers.

import { once } from 'node:events'
import type { RequestListener, Server } from 'node:http'
import { formatAddress, type MetricsAddress } from '../../protocol/address.ts'
import { adoptSocket, type BoundSocket, openSocket } from '../../sys/index.ts'
import type { MetricsModel } from '../config/model.ts'
import type { Host } from '../host.ts'
import type { KeptDescriptors } from '../kept-descriptors.ts'
import type { Log } from '../log.ts'
import { Collector } from './collect.ts'
import { ConnectionRoom } from './connection-room.ts'

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
/** A scraper needs one or two. */
const CONNECTIONS_MOST = 16
const PATIENCE_MS = 5000
const BACKLOG = 16
/** Of HEAD's answer Node.js sends no body. */
const METHODS = ['GET', 'HEAD']
const METRICS_KEY = '.metrics'

export class MetricsServer {
  private readonly server: Server
  private readonly collector: Collector
  private readonly socket: BoundSocket

  /** On the socket that is kept since an earlier broker's time, or on a new one. Rejects when the address cannot be had. */
  static async listen({ address, mode }: MetricsModel, broker: Host, log: Log, kept: KeptDescriptors) {
    try {
      const metrics = new MetricsServer(ownSocket(address, mode, kept), broker, log)
      metrics.server.listen({ fd: metrics.socket.fd.dup().release() }, BACKLOG)
      await once(metrics.server, 'listening')
      log.info({ address: metrics.where() }, 'metrics')
      return metrics
    } catch (error) {
      const why = (error as Error).message
      throw new Error(`[broker] metrics = "${formatAddress(address)}": ${why}`, { cause: error })
    }
  }

  private constructor(socket: BoundSocket, broker: Host, log: Log) {
    this.socket = socket
    this.collector = new Collector(broker)
    const limits = {
      requestTimeout: PATIENCE_MS,
      headersTimeout: PATIENCE_MS,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 8192,
      connectionsCheckingInterval: 1000,
    }
    // Not loaded before it is needed: most brokers have no use for it, and clients may be waiting for this one.
    const { createServer } = process.getBuiltinModule('node:http')
    const room = new ConnectionRoom(CONNECTIONS_MOST, (connections) =>
      log.warn({ connections, most: CONNECTIONS_MOST }, 'metrics: idle connections closed to let others in'),
    )
    this.server = createServer(limits, this.answer(log, room))
    this.server.on('connection', (socket) => room.enter(socket))
    this.server.unref()
  }

  /** The address with the real port. */
  where(): string {
    return formatAddress(this.socket.address)
  }

  private answer(log: Log, room: ConnectionRoom): RequestListener {
    return async (request, response) => {
      const { socket } = request
      room.note(socket, true)
      response.once('close', () => room.note(socket, false))
      request.resume()
      const path = request.url?.split('?')[0]
      const refuse = (status: number, text: string, headers = {}) =>
        response.writeHead(status, { 'Content-Type': 'text/plain', ...headers }).end(`${text}\n`)
      if (path !== '/metrics') return refuse(404, 'the metrics are at /metrics')
      if (!METHODS.includes(request.method!))
        return refuse(405, 'GET is all that is answered', { Allow: METHODS.join(', ') })
      try {
        const text = await this.collector.collect()
        response.writeHead(200, { 'Content-Type': CONTENT_TYPE, 'Cache-Control': 'no-store' }).end(text)
      } catch (error) {
        log.error({ err: error }, 'the metrics could not be read')
        refuse(500, 'the metrics could not be read; the broker’s log says why')
      }
    }
  }

  close(): void {
    this.server.close()
    this.server.closeAllConnections()
    this.collector.close()
    this.socket.close()
  }
}

function ownSocket(address: MetricsAddress, mode: number, kept: KeptDescriptors): BoundSocket {
  const [fd, anchor] = kept.claim(METRICS_KEY)
  const adopted = fd && adoptSocket(fd, address, {}, BACKLOG, anchor)
  if (adopted !== undefined) return adopted
  fd?.close()
  anchor?.close()
  const socket = openSocket(address, address.type === 'unix' ? { socketMode: mode } : {}, BACKLOG)
  kept.store.put(METRICS_KEY, socket.anchor ? [socket.fd.fd, socket.anchor.fd] : [socket.fd.fd])
  return socket
}
