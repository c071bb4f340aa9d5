// What is looked at all the time: the broker's memory and descriptors, and how soon it answers.

import { readdirSync, readFileSync } from 'node:fs'

/** A broker that has just begun fills its heap; its growth counts from then on. */
const SETTLING_MS = 10_000

export class Samples {
  answers = []
  #series = new Map()
  #began = new Map()

  /** After an answer of the broker `pid` that took `ms`. */
  add(pid, ms) {
    const now = performance.now()
    this.answers.push(ms)
    if (!this.#began.has(pid)) this.#began.set(pid, now)
    if (now - this.#began.get(pid) < SETTLING_MS) return
    try {
      const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])
      const fds = readdirSync(`/proc/${pid}/fd`).length
      if (!this.#series.has(pid)) this.#series.set(pid, [])
      this.#series.get(pid).push({ minute: now / 60_000, rss, fds })
    } catch {
      // It was killed meanwhile.
    }
  }

  get brokers() {
    return this.#began.size
  }

  last(key) {
    return [...this.#series.values()].at(-1)?.at(-1)?.[key] ?? null
  }

  /** Growth a minute by least squares, each broker about its own mean; null without two samples of one broker. */
  slope(key) {
    let products = 0
    let squares = 0
    for (const series of this.#series.values()) {
      const mean = (of) => series.reduce((sum, sample) => sum + sample[of], 0) / series.length
      const [minute, value] = [mean('minute'), mean(key)]
      for (const sample of series) {
        products += (sample.minute - minute) * (sample[key] - value)
        squares += (sample.minute - minute) ** 2
      }
    }
    return squares > 0 ? products / squares : null
  }
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null
}
