import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { rehearse, whileWaiting } from '../../src/client/rehearsal.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

it('a rehearsal takes the way of a grant to its end, and leaves nothing behind', async () => {
  const before = process.getActiveResourcesInfo().length
  await rehearse([2, 1])
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before)
})

it('who waits rehearses meanwhile, once; who does not wait does not', async () => {
  let rehearsals = 0
  const settleAs = whileWaiting(async () => {
    rehearsals++
  })
  expect(await settleAs(Promise.resolve('granted at once'))).toBe('granted at once')
  await sleep(30)
  expect(rehearsals).toBe(0)
  expect(await settleAs(sleep(100, 'granted late'))).toBe('granted late')
  await expect(settleAs(sleep(30).then(() => Promise.reject(new Error('refused late'))))).rejects.toThrow(
    'refused late',
  )
  expect(rehearsals).toBe(1)
})

it('a rehearsal that fails is not the failure of who waits', async () => {
  const settleAs = whileWaiting(() => Promise.reject(new Error('no descriptor is left')))
  expect(await settleAs(sleep(50, 'granted'))).toBe('granted')
})
