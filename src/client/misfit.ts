// Which server can serve which received socket.

import type { Socket as DatagramSocket } from 'node:dgram'
import type { Server as StreamServer } from 'node:net'
import type { SocketDescription } from '../protocol/messages.ts'
import { isClusterWorker } from './cluster-worker.ts'

/** Why a net, tls, http, https or http2 server cannot serve that socket; undefined when it can. */
export function streamMisfit(server: StreamServer, { type, address }: SocketDescription): string | undefined {
  if (type !== 'tcp' && type !== 'unix')
    return `a ${server.constructor.name} cannot serve its ${type} socket ${address}`
  if (type === 'unix' && isClusterWorker())
    return 'Node cannot serve a received Unix socket in a cluster worker: acquire it in a process of its own'
  return undefined
}

export function datagramMisfit(server: DatagramSocket, { type, address }: SocketDescription): string | undefined {
  if (type !== 'udp') return `a node:dgram socket cannot serve its ${type} socket ${address}`
  const family = address.startsWith('udp://[') ? 'udp6' : 'udp4'
  const own = (server as unknown as { type: string }).type
  return own === family ? undefined : `a ${own} socket cannot serve ${address}: use createSocket('${family}')`
}
