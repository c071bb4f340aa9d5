import { expect, it } from 'vitest'
import { runBench } from '../support/bench.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

interface Pause {
  requests: number
  failed: number
  queued: number
  answeredMeanwhile: number
  queue: number
  drops: number
  state: string
}

it('requests made during pause --drain are answered after resume, none of them earlier, and none fails', async () => {
  const pause = await runBench<Pause>('handover/pause.mjs', ['--seconds', '2', '--rate', '200'])
  expect(pause).toMatchObject({ failed: 0, answeredMeanwhile: 0, drops: 0, state: 'paused' })
  expect(pause.queued).toBeGreaterThan(100)
  expect(pause.queue).toBeGreaterThan(100)
}, 90_000)

interface FullQueue {
  clients: number
  unanswered: number
  queue: number
  limit: number
  drops: number
  late: number
}

it('a full queue refuses nobody: who finds it full connects later, and list shows queue, limit and drops', async () => {
  const full = await runBench<FullQueue>('handover/full-queue.mjs', ['--seconds', '0.5'])
  // The kernel queues one more than the backlog (sk_acceptq_is_full, include/net/sock.h).
  expect(full).toMatchObject({ unanswered: 0, queue: 5, limit: 4 })
  expect(full.drops).toBeGreaterThan(0)
  expect(full.late).toBe(full.clients - full.queue)
}, 90_000)
