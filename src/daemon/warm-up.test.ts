import { expect, it } from 'vitest'
import { warmUp, warmUpBeside } from './warm-up.ts'

it('takes the way of a request to its end, and leaves nothing running', () => {
  const timers = process.getActiveResourcesInfo().length
  expect(() => warmUp()).not.toThrow()
  expect(process.getActiveResourcesInfo().length).toBe(timers)
})

it('beside other work leaves the event loop free again and again', async () => {
  let turns = 0
  const timer = setInterval(() => turns++, 0)
  await warmUpBeside()
  clearInterval(timer)
  expect(turns).toBeGreaterThan(1)
})
