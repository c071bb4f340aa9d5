import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { STUB } from '../support/exec.ts'
import { brokerPid, killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const argv = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')

it('the installed broker starts with --single-threaded-gc, and so does its successor', async () => {
  const daemon = await startKept({
    sockets: '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n',
    cli: STUB,
  })
  const first = argv(await brokerPid(daemon))
  expect(first).toContain('--single-threaded-gc')
  expect(argv(await killBroker(daemon))).toEqual(first)
})

it('with that flag V8 takes what was cached without it', () => {
  const tag = (flags: string[]) =>
    execFileSync(process.execPath, [...flags, '-p', 'v8.cachedDataVersionTag()'], { encoding: 'utf8' })
  expect(tag(['--single-threaded-gc'])).toBe(tag([]))
})
