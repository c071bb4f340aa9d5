// A lease that is never declared ready expires, which looks like a fault of the broker. Half-way there, the program is told.

export class ReadyWarning {
  readonly #timer: NodeJS.Timeout

  /** `readyWithin`: milliseconds from the grant to its expiry. */
  constructor(name: string, readyWithin: number) {
    this.#timer = setTimeout(() => {
      process.emitWarning(
        `the lease on ${name} is not ready after ${readyWithin / 2000} s and expires in as many: ` +
          'call lease.ready() once the server listens, or acquire with { ready: true }',
        { type: 'FdBrokerWarning', code: 'FD_BROKER_NOT_READY' },
      )
    }, readyWithin / 2)
    this.#timer.unref()
  }

  cancel(): void {
    clearTimeout(this.#timer)
  }
}
