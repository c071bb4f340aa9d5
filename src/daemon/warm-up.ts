// Runs the way of a request a thousand times, on a registry of its own, before anybody is served: a standby's grant after a
// crash is often the broker's first of the day, and should not be the one that V8 compiles.

import { createRegistry } from '../core/registry.ts'
import { step } from '../core/step.ts'
import type { HolderInfo, NameConfig } from '../core/types.ts'
import { decodeRequest } from '../protocol/decode.ts'
import { encode, encodeParts } from '../protocol/encode.ts'
import { shapeFault } from '../protocol/messages.ts'

/** Past V8’s thresholds for optimised code; some tens of milliseconds. */
const ROUNDS = 1000
const SLICE = 20

const NAME: NameConfig = {
  name: 'warm-up',
  mode: 'shared',
  rules: [],
  quorum: 1,
  maxGenerations: 4,
  maxHolders: 1024,
  maxDraining: 1024,
  readyTimeout: 60_000,
  drainTimeout: 30_000,
  onDrainTimeout: 'keep',
  promoteTimeout: 300_000,
}

const HOLDER: HolderInfo = { process: 1, identity: 'pidfd:1', pid: 1, uid: 0, gid: 0, user: 'root', command: '' }
const SOCKETS = [{ type: 'tcp', address: 'tcp://127.0.0.1:80', backlog: 4096, cookie: '0000000000000001' }]

export function warmUp(rounds = ROUNDS): void {
  const registry = createRegistry()
  const context = { now: Date.now(), allows: () => true }
  const request = encode({ id: 1, op: 'acquire', name: NAME.name })
  const malformed = request.subarray(0, request.length - 1)
  step(registry, { type: 'configure', names: [NAME] }, context)
  for (let round = 1; round <= rounds; round++) {
    const decoded = decodeRequest(request, false)
    if ('body' in decoded) shapeFault('acquire', decoded.body, decoded.floats)
    decodeRequest(malformed, false)
    const ask = { connection: round, request: 1 }
    const wants = {
      name: NAME.name,
      holder: HOLDER,
      takeover: false,
      wait: 0,
      ready: false,
      bind: 'connection',
    } as const
    step(registry, { type: 'acquire', ...ask, ...wants }, context)
    step(registry, { type: 'ready', ...ask, lease: round }, context)
    encodeParts({ id: 1, ok: true, lease: round, sockets: SOCKETS }, 'sockets', true)
    step(registry, { type: 'hangup', connection: round }, context)
    encode({ id: 1, ok: false, code: 'PROTOCOL', message: 'malformed packet: the packet ends too early' })
  }
}

/** In turns of the event loop that are free, for a broker that somebody waits for already. */
export async function warmUpBeside(): Promise<void> {
  for (let done = 0; done < ROUNDS; done += SLICE) {
    await new Promise((resolve) => setImmediate(resolve))
    warmUp(SLICE)
  }
}
