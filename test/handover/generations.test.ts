import { expect, it } from 'vitest'
import { Journal } from '../../bench/handover/journal.mjs'
import { runBench } from '../support/bench.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

interface Generations {
  steps: number
  differences: number
  killed: number
  slow: number
  refused: number
  accepted: number
  refusedConnections: number
}

it.each([1, 2])(
  'holders and list show what an outside journal says, at every step of four generations (seed %i)',
  async (seed) => {
    const args = ['--rounds', '4', '--workers', '3', '--seed', String(seed)]
    const figures = await runBench<Generations>('handover/generations.mjs', args)
    expect(figures).toMatchObject({ differences: 0, refusedConnections: 0 })
    // Each superseded label, g1 included, was tried once by its old supervisor.
    expect(figures).toMatchObject({ refused: 4, accepted: 0 })
    expect(figures.killed).toBeGreaterThan(0)
    expect(figures.slow).toBeGreaterThan(0)
    expect(figures.steps).toBeGreaterThan(30)
  },
  90_000,
)

it('the journal tells a holder that it does not know, one that it misses, and another generation', async () => {
  const rows = [{ lease: 1, pid: 10, generation: 'r1', state: 'ready' }]
  const broker = { holders: async () => rows, list: async () => [{ generation: 'r1' }] }
  const journal = new Journal({ broker })
  await journal.compare('one too many', 'r1')
  journal.granted({ pid: 10 }, { lease: 1, generation: 'r1' })
  await journal.compare('another state', 'r1')
  journal.becomes(1, 'ready')
  await journal.compare('the same', 'r1')
  await journal.compare('another generation', 'r2')
  expect(journal.differences.map((text: string) => text.split(':')[0])).toEqual([
    'one too many',
    'another state',
    'another generation',
  ])
})
