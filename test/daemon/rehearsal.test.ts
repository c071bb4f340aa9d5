import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { onFirstStandby, rehearse } from '../../src/daemon/rehearsal.ts'
import { config } from '../support/config-texts.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const REAL = config('[sockets.web]\nlisten = "tcp://127.0.0.1:80"\nallow = ["any"]')

it('a rehearsal grants to one standby after another, and leaves nothing behind', async () => {
  const before = process.getActiveResourcesInfo().length
  expect(await rehearse(REAL, [5, 2])).toBe(8)
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before)
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
