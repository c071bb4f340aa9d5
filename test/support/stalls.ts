// How long a broker stands still while something is done to it, told from how busy the machine is: what it spent waiting for a processor
// is taken off (/proc/PID/schedstat), and an idle broker that answers the same questions at the same time shows what else is not its own.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Asker } from './asker.ts'
import type { Daemon } from './daemon.ts'

/** Milliseconds. */
export interface Stalls {
  answers: number
  p50: number
  p99: number
  max: number
}

export interface Compared {
  attacked: Stalls
  idle: Stalls
}

const EVERY_MS = 2

/** Milliseconds that the main thread of a process was ready to run and did not. */
function waited(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
}

class Prober {
  private readonly stalls: number[] = []
  private readonly running: Promise<void>
  private over = false

  constructor(daemon: Daemon) {
    this.running = this.run(daemon)
  }

  private async run({ control, pid }: Daemon): Promise<void> {
    const asker = await Asker.connect(control)
    while (!this.over) {
      const [asked, before] = [performance.now(), waited(pid)]
      await asker.ask('stats')
      const took = performance.now() - asked
      this.stalls.push(Math.max(0, took - (waited(pid) - before)))
      await sleep(EVERY_MS)
    }
    asker.close()
  }

  async end(): Promise<Stalls> {
    this.over = true
    await this.running
    const sorted = this.stalls.sort((a, b) => a - b)
    const at = (share: number) => Math.round(sorted[Math.floor((sorted.length - 1) * share)]! * 100) / 100
    return { answers: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
  }
}

/** The stalls of both during `attack`, and for `after` milliseconds more. */
export async function compareStalls(
  attacked: Daemon,
  idle: Daemon,
  attack: () => Promise<unknown>,
  after = 0,
): Promise<Compared> {
  const probers = [new Prober(attacked), new Prober(idle)] as const
  try {
    await attack()
    await sleep(after)
  } finally {
    await Promise.allSettled(probers.map((prober) => prober.end()))
  }
  const [first, second] = await Promise.all(probers.map((prober) => prober.end()))
  return { attacked: first!, idle: second! }
}
