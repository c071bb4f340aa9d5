import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { onFirstStandby, rehearse } from '../../src/daemon/rehearsal.ts'
import { config } from '../support/config-texts.ts'
import { until } from '../support/daemon.ts'
import { fillTable } from '../support/full-table.ts'
import { forbidLeaks, leakedSince, openFds } from '../support/leaks.ts'

forbidLeaks()

const REAL = config('[sockets.web]\nlisten = "tcp://127.0.0.1:80"\nallow = ["any"]')

it('a rehearsal grants to one standby after another, and leaves nothing behind', async () => {
  const before = process.getActiveResourcesInfo().length
  expect(await rehearse(REAL, [5, 2])).toBe(8)
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before)
})

it('a rehearsal for which there are too few descriptors leaves nothing behind either', {
  timeout: 60_000,
}, async () => {
  const timers = () => process.getActiveResourcesInfo().filter((one) => one === 'Timeout').length
  const before = timers()
  const outcomes: string[] = []
  for (let free = 0; outcomes.at(-1) !== 'granted'; free++) {
    const fds = openFds()
    const empty = fillTable(free)
    try {
      outcomes.push(
        await rehearse(REAL, [1]).then(
          () => 'granted',
          (error) => String(error),
        ),
      )
    } finally {
      empty()
    }
    expect(await leakedSince(fds), `with room for ${free}`).toEqual([])
  }
  await until(() => timers() <= before, 'no timer runs any more')
  expect(outcomes.length).toBeGreaterThan(1)
  for (const outcome of outcomes.slice(0, -1)) expect(outcome).toContain('EMFILE')
})

it('a broker rehearses once, some time after somebody has begun to wait', async () => {
  let rehearsals = 0
  const act = async () => {
    rehearsals++
    throw new Error('no descriptor is left')
  }
  const onStandby = onFirstStandby(act, pino({ enabled: false }))
  await sleep(50)
  expect(rehearsals).toBe(0)
  onStandby()
  expect(rehearsals).toBe(0)
  await sleep(100)
  onStandby()
  await sleep(50)
  expect(rehearsals).toBe(1)
})
