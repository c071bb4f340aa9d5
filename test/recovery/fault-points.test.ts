// A few of the points at which `node bench/recovery/fault-points.mjs` kills the broker, chosen by a seed; that one visits all.

import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { runFaultPoint } from '../../bench/recovery/fault-point.mjs'
import { forbidLeaks } from '../support/leaks.ts'
import { seeded } from '../support/random.ts'

forbidLeaks()

const HAS_STRACE = spawnSync('strace', ['-V']).status === 0
const SEED = Number(process.env['FD_BROKER_SEED'] ?? 1)
const random = seeded(SEED)
const pick = (most: number) => 1 + Math.floor(random() * most)

/** So many of each do the clients make the broker do, at least. */
const POINTS = [
  ['leases', 'pwrite64', pick(7)],
  ['leases', 'pwrite64', 8 + pick(6)],
  ['leases', 'sendmsg', pick(10)],
  ['leases', 'sendmsg', 10 + pick(10)],
  // The descriptors of the first grant go to the keeper.
  ['programs', 'sendmsg', 1 + pick(2)],
  ['programs', 'sendmsg', 3 + pick(30)],
  ['programs', 'pwrite64', pick(20)],
  ['restart', 'pwrite64', pick(8)],
  ['restart', 'sendmsg', pick(20)],
] as const

it.runIf(HAS_STRACE).each(POINTS)(
  `%s: killed before its %s number %i (seed ${SEED}), a broker has lost and invented nothing (needs strace)`,
  {
    timeout: 60_000,
  },
  async (story, call, point) => {
    const { faults, killedAt } = await runFaultPoint(call, point, story)
    expect(faults).toEqual([])
    expect(killedAt).toContain(`${call}(`)
  },
)
