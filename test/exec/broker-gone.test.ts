import { expect, it } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon } from '../support/daemon.ts'
import { start } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = `[sockets.one]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
mode = "exclusive"`

it('exec that waits for its turn on an exclusive name ends when its broker does not come back', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  const former = await broker.acquire('one')
  await former.ready()
  const drained = new Promise((resolve) => former.once('drain', resolve))
  const next = start(daemon, ['exec', 'one', '--takeover', '--', 'true'])
  await drained
  daemon.process.kill('SIGKILL')
  expect(await next.exit()).toBe(111)
  expect(next.stderr()).toMatch(/CLOSED: no broker .*tried for 2000 ms.*fd-broker serve/)
})
