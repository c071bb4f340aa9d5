import { userInfo } from 'node:os'
import { expect, it } from 'vitest'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { Asker, closeAll, type Message } from '../support/asker.ts'
import { startDaemon, stopCleanly } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const LEASES = 5000

it('a repair is told in one packet, however many hold the name', async () => {
  const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\nmax_holders = ${LEASES}`
  const daemon = await startDaemon({ sockets })
  const holder = await Asker.connect(daemon.control)
  for (let lease = 1; lease < LEASES; lease++) await holder.lease('web')
  const { message, fds } = await holder.received('acquire', { name: 'web' })
  const viewer = await Asker.connect(daemon.control)
  await viewer.ask('events')

  addon.shutdown(fds[0]!.fd, c.SHUT_RDWR)
  const event = await viewer.next()
  expect(event).toMatchObject({ event: 'repaired', what: ['shutdown'], others: LEASES - 64 })
  const suspects = event['suspects'] as Message[]
  expect([suspects.length, suspects.at(-1)]).toEqual([
    64,
    { lease: message['lease'], pid: process.pid, user: userInfo().username },
  ])
  closeAll(fds)
  viewer.close()
  holder.close()
  await stopCleanly(daemon)
})
