import { expect, it } from 'vitest'
import { runBench } from '../support/bench.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

interface Figures {
  connections: number
  failed: number
  errors: string[]
  events: Record<string, number>
  brokers: number
  rssKiBPerMinute: number | null
}

it('a minute of takeovers, stops, kills, freezes and floods at random fails no connection', {
  timeout: 150_000,
}, async () => {
  const figures = await runBench<Figures>('soak/main.mjs', ['--minutes', '1', '--seed', '7'], 0, 140_000)
  expect(figures).toMatchObject({ failed: 0, errors: [] })
  expect(figures.connections).toBeGreaterThan(1000)
  expect(Object.keys(figures.events).length).toBeGreaterThanOrEqual(4)
  expect(figures.rssKiBPerMinute ?? 0).toBeLessThan(64 * 1024)
})
