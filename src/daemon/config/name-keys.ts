// The keys of [sockets.NAME] that are the broker's own; the options of the sockets themselves are in option-keys.ts.

import { key, optional } from './key.ts'
import { type Kind, reader, Wrong } from './kind.ts'
import { count, duration, flag, oneOf, texts } from './kinds.ts'
import { ADDRESSES_MAX, LONGEST_MS, LONGEST_WHY, RULES_MAX } from './limits.ts'

const atLeast1ms = { min: 1, max: LONGEST_MS, why: LONGEST_WHY }
const fromZero = { min: 0, max: LONGEST_MS, why: LONGEST_WHY }
const leases = { min: 1, max: 1_000_000, why: 'each lease is a process and a descriptor' }

/** One or more addresses as written: `"tcp://…"` or `["tcp://…", …]`. */
function addresses(): Kind<unknown[]> {
  return {
    type: 'address, or list of addresses',
    range: `1 to ${ADDRESSES_MAX} (each is a descriptor that every grant passes)`,
    schema: reader((value) => {
      const list = Array.isArray(value) ? value : [value]
      if (list.length === 0) return new Wrong('is empty; write at least one address, such as "tcp://127.0.0.1:8080"')
      if (list.length > ADDRESSES_MAX) return new Wrong(`has ${list.length} addresses; write at most ${ADDRESSES_MAX}`)
      return list
    }),
  }
}

export const NAME_KEYS = {
  listen: optional(addresses(), {
    default: 'required',
    example: '["tcp://0.0.0.0:80", "tcp://[::]:80"]',
    doc: 'the addresses of the name’s sockets; workers receive them in this order',
  }),
  allow: optional(texts('list of rules', 'a rule', RULES_MAX, 'every grant walks the list'), {
    default: 'nobody, root included',
    example: '["user:www-data", "group:web"]',
    doc: 'rules for who may take a lease; one of them must hold',
  }),
  mode: key(oneOf(['shared', 'exclusive']), {
    default: '"shared"',
    example: '"exclusive"',
    doc: 'many leases of a generation at once, or strictly one with a hand-over',
  }),
  quorum: key(count(leases), {
    default: '1',
    example: '2',
    doc: 'ready leases that make a pending generation current; at most `max_holders`, and 1 for an exclusive name',
  }),
  max_holders: key(count(leases), {
    default: '1024',
    example: '8',
    doc: 'granted and ready leases of one generation; more wait or are told BUSY',
  }),
  max_generations: key(count({ min: 1, max: 64, why: 'superseded labels are remembered for the last 64' }), {
    default: '4',
    example: '2',
    doc: 'current and pending generations together; 1 means that no newer one can be opened beside the current one',
  }),
  max_draining: key(count(leases), {
    default: '1024',
    example: '16',
    doc: 'leases that may be draining at once',
  }),
  ready_timeout: key(duration(atLeast1ms), {
    default: '"60s"',
    example: '"2m"',
    doc: 'a granted lease that is not ready by then has expired',
  }),
  drain_timeout: key(duration(fromZero), {
    default: '"30s"',
    example: '"5m"',
    doc: 'time to finish after being asked to drain',
  }),
  on_drain_timeout: key(oneOf(['keep', 'term', 'kill']), {
    default: '"keep"',
    example: '"term"',
    doc: 'what happens to a holder then: nothing, SIGTERM, or SIGTERM and SIGKILL 5 s later',
  }),
  promote_timeout: key(duration(atLeast1ms), {
    default: '"5m"',
    example: '"10m"',
    doc: 'a pending generation that is not current by then is rolled back',
  }),
  watchdog: optional(duration(atLeast1ms), {
    default: 'off',
    example: '"30s"',
    doc: 'a ready holder that is silent for so long is evicted (SIGABRT, then as `kill`)',
  }),
  idle_grace: key(duration(fromZero), {
    default: '"5s"',
    example: '"2s"',
    doc: 'how long a draining holder keeps idle connections; never more than half of the drain deadline (checked, but without effect in this version)',
  }),
  guard: key(flag(), {
    default: 'true',
    example: 'false',
    doc: 'repair the sockets when a holder stops or bends them; see guard.md',
  }),
  non_blocking: optional(flag(), {
    default: 'off while nobody holds a lease; a holder may turn it on',
    example: 'true',
    doc: 'O_NONBLOCK on the shared description: true or false enforces it (event loops need it on, blocking programs off)',
  }),
}
