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
  ['pwrite64', pick(7)],
  ['pwrite64', 8 + pick(6)],
  ['sendmsg', pick(10)],
  ['sendmsg', 10 + pick(10)],
] as const

it.runIf(HAS_STRACE).each(POINTS)(
  `killed before its %s number %i (seed ${SEED}), a broker has lost and invented nothing (needs strace)`,
  {
    timeout: 60_000,
  },
  async (call, point) => {
    const { faults, killedAt } = await runFaultPoint(call, point)
    expect(faults).toEqual([])
    expect(killedAt).toContain(`${call}(`)
  },
)
