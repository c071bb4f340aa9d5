import { expect, it } from 'vitest'
import { runBench } from '../support/bench.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

interface Standby {
  requests: number
  refused: number
  standby: { count: number; p50: number }
  restart: { count: number; p50: number }
}

it('a standby has the socket of a killed holder sooner than a worker that is started then, and nobody is refused', async () => {
  const { requests, refused, standby, restart } = await runBench<Standby>('handover/standby.mjs', ['--rounds', '5'])
  expect(refused).toBe(0)
  expect(requests).toBeGreaterThan(100)
  expect([standby.count, restart.count]).toEqual([5, 5])
  expect(standby.p50).toBeLessThan(restart.p50)
}, 90_000)
