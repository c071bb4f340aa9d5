import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const RUN = resolve(import.meta.dirname, '../../examples/square-server/run.mjs')

interface Way {
  way: string
  answered: number
  refused: number
  lost: number
  gapMs: number
}

it('a crash costs many clients without the broker, and with it only the one that caused it', async () => {
  const directory = temporaryDirectory()
  const child = spawn(process.execPath, [RUN, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: directory },
    timeout: 60_000,
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  expect([code, stderr]).toEqual([0, ''])
  const [alone, ...brokered] = JSON.parse(stdout) as [Way, ...Way[]]
  expect(alone.refused).toBeGreaterThan(0)
  expect(alone.answered + alone.refused + alone.lost).toBe(20)
  expect(brokered.map(({ way }) => way)).toEqual([
    'broker, one worker',
    'broker, two workers',
    'broker, exclusive with standby',
  ])
  for (const way of brokered) expect(way).toMatchObject({ answered: 19, refused: 0, lost: 1 })
  expect(readdirSync(directory)).toEqual([])
}, 90_000)
