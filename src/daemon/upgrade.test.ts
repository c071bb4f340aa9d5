import { pino } from 'pino'
import { expect, it } from 'vitest'
import type { KeeperEvent } from '../sys/index.ts'
import type { Keeping } from './keeping.ts'
import { Upgrade } from './upgrade.ts'

const SILENT = pino({ enabled: false })
const PREPARED = { type: 'prepared', pid: 7, version: '1' } as const

/** A broker of which one step of stopping fails; what it and its keeper did, in order. */
async function failing(step: 'hush' | 'freeze' | 'frozen') {
  const done: string[] = []
  const act = (name: string) => () => {
    done.push(name)
    if (name === step) throw new Error(`${name} failed`)
  }
  const keeper = { upgrade: act('upgrade'), abortUpgrade: act('abort'), frozen: act('frozen') }
  const keeping = { gone: false, keeper, onUpgrade: (_: KeeperEvent) => {} }
  const host = {
    hush: async () => act('hush')(),
    unhush: act('unhush'),
    freeze: act('freeze'),
    thaw: act('thaw'),
    retire: act('retire'),
    isStopping: () => false,
  }
  const upgrade = new Upgrade(keeping as unknown as Keeping, host, SILENT)
  const outcomes: unknown[] = []
  upgrade.start((outcome) => outcomes.push(outcome))
  keeping.onUpgrade(PREPARED)
  await expect.poll(() => done).toContain('abort')
  keeping.onUpgrade({ type: 'failed', why: '' })
  return { done, outcomes }
}

it.each([
  ['hush', ['upgrade', 'hush', 'unhush', 'abort']],
  ['freeze', ['upgrade', 'hush', 'freeze', 'thaw', 'abort']],
  ['frozen', ['upgrade', 'hush', 'freeze', 'frozen', 'thaw', 'abort']],
] as const)('a broker that fails to stop for the new one, at %s, goes on, and says why', async (step, expected) => {
  const { done, outcomes } = await failing(step)
  expect(done).toEqual(expected)
  const message = `this broker cannot stop for the new one: ${step} failed; the log has its last words; this broker (pid ${process.pid}) goes on`
  expect(outcomes).toEqual([{ code: 'SYSTEM', message }])
})
