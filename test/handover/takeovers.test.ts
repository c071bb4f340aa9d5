import { expect, it } from 'vitest'
import { runBench } from '../support/bench.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

interface Takeovers {
  requests: number
  failed: number
  errors: Record<string, number>
  during: { count: number }
}

const takeOver = (...args: string[]) => runBench<Takeovers>('handover/takeovers.mjs', ['--rate', '300', ...args])

it.each([[[]], [['--keep-alive']], [['--http2']]])(
  'successors take over again and again and no request fails %j',
  async (mode) => {
    const { requests, failed, during } = await takeOver('--rounds', '6', ...mode)
    expect(failed).toBe(0)
    expect(requests).toBeGreaterThan(300)
    expect(during.count).toBeGreaterThan(0)
  },
  90_000,
)

it('the control: workers that close idle connections the moment they are drained reset requests of keep-alive clients', async () => {
  const { failed, errors } = await runBench<Takeovers>(
    'handover/takeovers.mjs',
    ['--rounds', '40', '--rate', '1500', '--keep-alive', '--abrupt'],
    1,
  )
  expect(failed).toBeGreaterThan(0)
  expect(errors['ECONNREFUSED']).toBeUndefined()
}, 90_000)
