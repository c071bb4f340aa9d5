import { expect, it } from 'vitest'
import { warmUp } from './warm-up.ts'

it('takes the way of a request to its end, and leaves nothing running', () => {
  const timers = process.getActiveResourcesInfo().length
  expect(() => warmUp()).not.toThrow()
  expect(process.getActiveResourcesInfo().length).toBe(timers)
})
