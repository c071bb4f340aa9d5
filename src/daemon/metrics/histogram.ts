import type { Labels, Sample } from './exposition.ts'

/** Seconds: from a worker that listens at once to one that takes the longest ready_timeout that is usual. */
export const DURATION_BUCKETS: readonly number[] = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export class Histogram {
  private readonly counts = DURATION_BUCKETS.map(() => 0)
  private count = 0
  private sum = 0

  observe(seconds: number): void {
    const bucket = DURATION_BUCKETS.findIndex((most) => seconds <= most)
    if (bucket >= 0) this.counts[bucket]!++
    this.count++
    this.sum += seconds
  }

  /** Cumulative, as the format wants them; nothing before the first observation. */
  samples(labels: Labels): Sample[] {
    if (this.count === 0) return []
    let below = 0
    const buckets = DURATION_BUCKETS.map((most, at) => {
      below += this.counts[at]!
      return { suffix: '_bucket', labels: { ...labels, le: String(most) }, value: below }
    })
    return [
      ...buckets,
      { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: this.count },
      { suffix: '_sum', labels, value: this.sum },
      { suffix: '_count', labels, value: this.count },
    ]
  }
}
