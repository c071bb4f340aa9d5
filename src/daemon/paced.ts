// Work for a name that hundreds of events in a moment ask for: done at the first, and once more for all that come within the pause.

interface Pause<How> {
  timer: NodeJS.Timeout
  /** What was asked for meanwhile. */
  asked: How | undefined
}

export class Paced<How extends string> {
  private readonly pauses = new Map<string, Pause<How>>()
  private readonly soon = new Set<NodeJS.Immediate>()
  private readonly later = new Set<NodeJS.Timeout>()
  private readonly ms: number
  private readonly work: (name: string, how: How) => void
  private readonly prevails: How

  /** `prevails`: how it is done when some ask for that and others for something else. */
  constructor(ms: number, prevails: How, work: (name: string, how: How) => void) {
    this.ms = ms
    this.prevails = prevails
    this.work = work
  }

  /** Once what is being done now is done. */
  askSoon(name: string, how: How): void {
    const immediate = setImmediate(() => {
      this.soon.delete(immediate)
      this.ask(name, how)
    })
    this.soon.add(immediate)
  }

  /** That alone keeps no process alive. */
  askAfter(ms: number, name: string, how: How): void {
    const timer = setTimeout(() => {
      this.later.delete(timer)
      this.ask(name, how)
    }, ms).unref()
    this.later.add(timer)
  }

  ask(name: string, how: How): void {
    const pause = this.pauses.get(name)
    if (pause !== undefined) {
      if (pause.asked !== this.prevails) pause.asked = how
      return
    }
    this.pauses.set(name, { timer: setTimeout(() => this.over(name), this.ms).unref(), asked: undefined })
    this.work(name, how)
  }

  private over(name: string): void {
    const asked = this.pauses.get(name)?.asked
    this.pauses.delete(name)
    if (asked !== undefined) this.ask(name, asked)
  }

  close(): void {
    for (const { timer } of this.pauses.values()) clearTimeout(timer)
    this.pauses.clear()
    for (const immediate of this.soon) clearImmediate(immediate)
    for (const timer of this.later) clearTimeout(timer)
    this.soon.clear()
    this.later.clear()
  }
}
