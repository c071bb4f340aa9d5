import { expect, it } from 'vitest'
import { runBench } from '../support/bench.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

interface Newcomers {
  generation: string
  ways: Record<string, { rollbacks: number; requests: number; refused: number; failed: number }>
}

it('the old version serves on when a new one crashes, hangs, or is killed between ready and promotion; an event says why', async () => {
  const { generation, ways } = await runBench<Newcomers>('handover/newcomers.mjs', ['--rounds', '2', '--rate', '300'])
  expect(generation).toBe('old')
  for (const way of ['crashes before ready', 'hangs before ready', 'killed when ready']) {
    expect(ways[way]).toMatchObject({ rollbacks: 2, refused: 0, failed: 0 })
    expect(ways[way]!.requests).toBeGreaterThan(50)
  }
  expect(ways['killed as it serves']).toMatchObject({ rollbacks: 2, refused: 0 })
}, 90_000)
