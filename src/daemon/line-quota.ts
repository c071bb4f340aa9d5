// How many log lines one user may cause, so that nobody can fill the disk: a burst, then a rate. What goes beyond is counted, and told
// in one line.

/** A release of hundreds of workers is logged in full. */
const BURST = 5000
/** Some 15 KB a second. */
const LINES_A_SECOND = 50
const SUMMARY_MS = 10_000

interface Bucket {
  lines: number
  at: number
  suppressed: number
}

export class LineQuota {
  private readonly buckets = new Map<string, Bucket>()
  private readonly tell: (whose: string, lines: number) => void
  private timer: NodeJS.Timeout | undefined

  constructor(tell: (whose: string, lines: number) => void) {
    this.tell = tell
  }

  /** False when the line is over the quota. `whose`: bounded in number, such as a uid. `now` in milliseconds. */
  takes(whose: string, now: number): boolean {
    const bucket = this.buckets.get(whose) ?? { lines: BURST, at: now, suppressed: 0 }
    this.buckets.set(whose, bucket)
    bucket.lines = Math.min(BURST, bucket.lines + (Math.max(0, now - bucket.at) * LINES_A_SECOND) / 1000)
    bucket.at = now
    if (bucket.lines >= 1) {
      bucket.lines--
      return true
    }
    bucket.suppressed++
    this.timer ??= setTimeout(() => this.summarise(), SUMMARY_MS).unref()
    return false
  }

  summarise(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    for (const [whose, bucket] of this.buckets) {
      if (bucket.suppressed > 0) this.tell(whose, bucket.suppressed)
      bucket.suppressed = 0
    }
  }
}
