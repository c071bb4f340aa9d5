// GET /metrics, for Prometheus, on loopback or a Unix socket: read-only, and small enough to be left alone with strangers.

import { once } from 'node:events'
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { connect, type ListenOptions } from 'node:net'
import { formatAddress, type MetricsAddress } from '../../protocol/address.ts'
import type { MetricsModel } from '../config/model.ts'
import type { Host } from '../host.ts'
import type { Log } from '../log.ts'
import { Collector } from './collect.ts'

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
/** A scraper needs one or two. */
const CONNECTIONS_MOST = 16
const PATIENCE_MS = 5000

export class MetricsServer {
  private readonly server: Server
  private readonly collector: Collector
  private readonly address: MetricsAddress

  /** Rejects when the address cannot be had. */
  static async listen({ address, mode }: MetricsModel, broker: Host, log: Log): Promise<MetricsServer> {
    const metrics = new MetricsServer(address, broker, log)
    try {
      if (address.type === 'unix') await removeStale(address.path)
      // The mode is set before anybody can connect: between bind and listen there is no moment from here.
      const umask = process.umask(0o777 & ~mode)
      try {
        metrics.server.listen(listenOptions(address))
      } finally {
        process.umask(umask)
      }
      await once(metrics.server, 'listening')
      if (address.type === 'unix') chmodSync(address.path, mode)
    } catch (error) {
      metrics.close()
      const why = (error as Error).message
      throw new Error(`[broker] metrics = "${formatAddress(address)}": ${why}`, { cause: error })
    }
    log.info({ address: metrics.where() }, 'metrics')
    return metrics
  }

  private constructor(address: MetricsAddress, broker: Host, log: Log) {
    this.address = address
    this.collector = new Collector(broker)
    const limits = {
      requestTimeout: PATIENCE_MS,
      headersTimeout: PATIENCE_MS,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 8192,
      connectionsCheckingInterval: 1000,
    }
    this.server = createServer(limits, this.answer(log))
    this.server.maxConnections = CONNECTIONS_MOST
    this.server.unref()
  }

  /** The address with the real port. */
  where(): string {
    const bound = this.server.address()
    if (this.address.type === 'unix' || bound === null || typeof bound === 'string') return formatAddress(this.address)
    return formatAddress({ ...this.address, port: bound.port })
  }

  private answer(log: Log): RequestListener {
    return async (request, response) => {
      request.resume()
      const path = request.url?.split('?')[0]
      const refuse = (status: number, text: string, headers = {}) =>
        response.writeHead(status, { 'Content-Type': 'text/plain', ...headers }).end(`${text}\n`)
      if (path !== '/metrics') return refuse(404, 'the metrics are at /metrics')
      if (request.method !== 'GET') return refuse(405, 'GET is all that is answered', { Allow: 'GET' })
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
  }
}

function listenOptions(address: MetricsAddress): ListenOptions {
  if (address.type === 'unix') return { path: address.path.replace(/^@/, '\0') }
  return { host: address.host, port: address.port }
}

/** A socket that nobody listens on any more is in the way of bind(2); another's is not ours to remove. */
async function removeStale(path: string): Promise<void> {
  if (path.startsWith('@') || !lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    throw new Error('another process listens there: give this broker a path of its own')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') unlinkSync(path)
    else if ((error as NodeJS.ErrnoException).code === undefined) throw error
  } finally {
    socket.destroy()
  }
}
