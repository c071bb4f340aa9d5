// Where there is no terminal: the table again and again.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Broker } from '../../client/index.ts'
import type { NameView } from '../../protocol/messages.ts'
import { printable } from '../../protocol/printable.ts'
import type { Env } from '../env.ts'

export interface PlainOptions {
  interval: number
  /** How many looks; undefined: until it is stopped. */
  count: number | undefined
  print(names: readonly NameView[], at: number): void
}

/** The first look may fail as any command does; later the broker may be away for a while. */
export async function plain(broker: Broker, env: Env, { interval, count, print }: PlainOptions): Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  const off = env.signals.onStop(() => stop.abort())
  try {
    print(await broker.list({ signal }), env.now())
    for (let done = 1; done !== count; done++) {
      await sleep(interval, undefined, { signal })
      try {
        print(await broker.list({ signal }), env.now())
      } catch (error) {
        if (signal.aborted) throw error
        env.stderr.write(`fd-broker: broker away, trying again: ${printable((error as Error).message)}\n`)
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    off()
  }
}
