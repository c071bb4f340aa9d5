// What happens at random. Each resolves when it is over; `weight` is how often it comes.

import { setTimeout as sleep } from 'node:timers/promises'
import { Channel } from '../../dist/sys/index.js'

const pick = (list, random) => list[Math.floor(random() * list.length)]

export const EVENTS = {
  takeover: {
    weight: 4,
    async run(stage) {
      const former = [...stage.workers]
      // A worker whose broker was killed may not have been told: it is stopped as a supervisor would.
      if (await stage.startWorker('--takeover')) for (const worker of former) stage.stop(worker)
      await stage.startWorker()
    },
  },
  replaced: {
    weight: 4,
    async run(stage) {
      const [oldest] = stage.workers
      if (await stage.startWorker()) stage.stop(oldest)
    },
  },
  'worker frozen': {
    weight: 3,
    async run(stage, random) {
      const worker = pick(stage.workers, random)
      worker?.kill('SIGSTOP')
      await sleep(100 + random() * 400)
      worker?.kill('SIGCONT')
    },
  },
  'worker killed': {
    weight: 2,
    async run(stage, random, figures) {
      if (stage.workers.length < 2) await stage.startWorker()
      const worker = pick(stage.workers, random)
      figures.kills.push(performance.now())
      worker?.kill('SIGKILL')
      await stage.startWorker()
    },
  },
  'broker killed': {
    weight: 1,
    async run(stage) {
      const { pid } = await stage.client.stats()
      process.kill(pid, 'SIGKILL')
      for (let again = pid; again === pid; await sleep(20)) again = (await stage.client.stats()).pid
    },
  },
  flood: {
    weight: 3,
    async run(stage, random) {
      for (let at = 0; at < 300; at++) {
        try {
          const bytes = Uint8Array.from({ length: Math.floor(random() ** 4 * 20_000) }, () => random() * 256)
          const hostile = Channel.connect(stage.control, { message() {}, close() {} })
          hostile.send(bytes)
          setTimeout(() => hostile.close(), random() * 1000)
        } catch {
          // The broker is away, or its queue is full.
        }
        if (at % 20 === 0) await sleep(1)
      }
    },
  },
}

export function choose(random) {
  const names = Object.keys(EVENTS).flatMap((name) => Array(EVENTS[name].weight).fill(name))
  return pick(names, random)
}
