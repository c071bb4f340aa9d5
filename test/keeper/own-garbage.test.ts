import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { brokerPid, killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const argv = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')

it('the installed broker collects its garbage in the thread of its event loop, and so does its successor', async () => {
  const daemon = await startKept({
    sockets: '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n',
    installed: true,
  })
  const first = argv(await brokerPid(daemon))
  expect(first).toContain('--single-threaded-gc')
  expect(argv(await killBroker(daemon))).toEqual(first)
})
