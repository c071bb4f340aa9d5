import { expect, it } from 'vitest'
import { startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { start } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = ['one', 'two']
  .map((name) => `[sockets.${name}]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\nmode = "exclusive"\n`)
  .join('')

it('names a process that keeps the socket of an exclusive name when its holder has gone, and no other', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const events = () => daemon.logs().filter(({ msg }) => msg === 'undeclared')
  const ended = (count: number) => daemon.logs().filter(({ msg }) => msg === 'died').length === count

  const clean = start(daemon, ['exec', 'two', '--', 'true'])
  await clean.exit()
  await until(() => ended(1), 'the lease has ended')

  const leaky = start(daemon, ['exec', 'one', '--', 'sh', '-c', 'sleep 20 & echo $!'])
  await until(() => ended(2), 'the second lease has ended')
  const child = Number(leaky.stdout())
  const next = start(daemon, ['exec', 'one', '--', 'sh', '-c', 'sleep 2 & echo running; wait'])
  await until(() => next.stdout() !== '' && events().length > 0, 'the copy is found')
  expect(events()).toMatchObject([{ name: 'one', pids: [child] }])
  process.kill(child, 'SIGKILL')
  await until(() => ended(3), 'the third lease has ended')
  await stopCleanly(daemon)
})
