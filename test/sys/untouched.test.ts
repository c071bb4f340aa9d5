// A socket that nobody gets stands for what one of a name is like: they must not differ, or the guard would change what nobody has touched.

import { tmpdir } from 'node:os'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../src/protocol/address.ts'
import { type SocketOptionKey, type SocketOptions, socketOptionApplies } from '../../src/protocol/socket-options.ts'
import { type BoundSocket, GuardedSocket, openSocket, openSuccessor, replaceFault } from '../../src/sys/index.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const ADDRESSES = [
  'tcp://127.0.0.1:0',
  'tcp://[::1]:0',
  'tcp://[::]:0',
  'udp://127.0.0.1:0',
  'udp://[::]:0',
  `unix://${tmpdir()}/fd-broker-untouched-${process.pid}`,
  `unix-seqpacket://@fd-broker-untouched-${process.pid}`,
  `unix-dgram://@fd-broker-untouched-${process.pid}`,
]

const MANY: SocketOptions = {
  bindToDevice: 'lo',
  freeBind: true,
  keepAlive: true,
  keepAliveTime: 77,
  keepAliveInterval: 7,
  keepAliveProbes: 3,
  noDelay: true,
  deferAccept: 5,
  tcpFastOpen: 9,
  receiveBuffer: 70_000,
  sendBuffer: 80_000,
  ipTos: 16,
  priority: 3,
  ipTtl: 33,
  broadcast: true,
  passCredentials: true,
  passPacketInfo: true,
  timestamping: 'ns',
  tcpCongestion: 'reno',
}

const OPTIONS: [string, SocketOptions][] = [
  ['no options', {}],
  ['many options', MANY],
  ['O_NONBLOCK', { nonBlocking: true }],
  ['SO_REUSEPORT', { reusePort: true }],
  ['raw options', { sockopt: [{ level: 1, name: 20, value: new Uint8Array(16).fill(1, 0, 1) }] }],
]

const rows = ADDRESSES.flatMap((text) => OPTIONS.map(([what, options]) => ({ text, what, options })))

describe('a socket that nobody has changed', () => {
  it.each(rows)('$text with $what, and its successor, are as one that is bound nowhere', ({ text, options }) => {
    const address = parseAddress(text)
    const own: SocketOptions = Object.fromEntries(
      Object.entries(options).filter(([key]) => socketOptionApplies(key as SocketOptionKey, address.type)),
    )
    const opened: BoundSocket[] = []
    try {
      opened.push(openSocket(address, own, 16))
      if (replaceFault(address) === undefined) {
        const { socket, takeOver } = openSuccessor(opened[0]!, own, 16)
        opened.push(socket)
        takeOver().settle()
      }
      for (const socket of opened) {
        const guarded = { fd: socket.fd.fd, address: socket.address, backlog: 16 }
        const found = new GuardedSocket(guarded)
        const configured = new GuardedSocket({ ...guarded, configured: own })
        expect(configured.expected).toBe(found.expected)
        expect(configured.inspect()).toBeUndefined()
      }
    } finally {
      for (const socket of opened) socket.close()
    }
  })
})
