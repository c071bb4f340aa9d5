// A program with process-bound leases, which does what its parent says: a message is a method, its answer what that gives.

import { spawn } from 'node:child_process'
import { ProgramLeases } from '../../dist/client/program-leases.js'
import { notify } from '../../dist/sys/notify.js'

const broker = new ProgramLeases({ socket: process.argv[2], timeout: 30_000 })
const leases = new Map()
let paths = []

const methods = {
  async acquire(name, options) {
    const lease = await broker.acquire(name, options.wait === undefined ? options : { ...options, wait: -1 })
    leases.set(name, lease)
    paths = [...new Set([...paths, lease.grant.notify])]
    return { id: lease.id, name, state: lease.state }
  },
  ready: (name) => leases.get(name).ready(),
  /** From then on the broker speaks by signal. */
  detach: () => broker.detach(),
  say(text) {
    for (const path of paths) notify(text, { env: { NOTIFY_SOCKET: path } })
  },
  /** A process of its own that has the sockets of the name. */
  heir(name) {
    const heir = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', ...leases.get(name).fds] })
    return { pid: heir.pid }
  },
}

process.on('SIGTERM', () => process.send({ event: 'drain' }))
process.on('disconnect', () => process.exit())
process.on('message', async ({ id, method, args }) => {
  try {
    process.send({ id, result: await methods[method](...args) })
  } catch (error) {
    process.send({ id, error: `${error.code}: ${error.message}` })
  }
})
