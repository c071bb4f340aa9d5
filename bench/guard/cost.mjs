// node cost.mjs [SOCKETS]: what looking at every option of a socket costs, one by one and for many, when nothing is bent.

import { parseAddress } from '../../dist/protocol/address.js'
import { GuardedSocket, openSocket } from '../../dist/sys/index.js'
import { report } from '../handover/report.mjs'

const [count = 1000] = process.argv
  .slice(2)
  .filter((word) => word !== '--json')
  .map(Number)
const ROUNDS = 20
const addresses = {
  tcp: () => 'tcp://127.0.0.1:0',
  'tcp, IPv6': () => 'tcp://[::1]:0',
  unix: (at) => `unix://@fd-broker-bench/${process.pid}/${at}`,
  udp: () => 'udp://127.0.0.1:0',
}

/** Microseconds of processor time for one look at all of them. */
function look(guarded) {
  const before = process.cpuUsage()
  for (let round = 0; round < ROUNDS; round++) for (const one of guarded) one.inspect()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / ROUNDS
}

const rows = []
for (const [kind, addressOf] of Object.entries(addresses)) {
  const each = Math.min(count, 400)
  const sockets = Array.from({ length: each }, (_, at) => openSocket(parseAddress(addressOf(at)), {}, 128))
  const guarded = sockets.map(
    (socket) => new GuardedSocket({ fd: socket.fd.fd, address: socket.address, backlog: 128 }),
  )
  look(guarded)
  const micros = look(guarded) / each
  rows.push([kind, each, micros, (micros * 1000) / 1000, (micros * 1000) / 10_000])
  for (const socket of sockets) socket.close()
}
process.exitCode = report({
  json: process.argv.includes('--json'),
  title: 'one look at a socket, every second',
  headings: ['type', 'sockets', 'µs each', 'ms for 1,000', '% of a processor'],
  rows,
  figures: Object.fromEntries(rows.map(([kind, , micros]) => [kind, micros])),
  faults: [],
})
