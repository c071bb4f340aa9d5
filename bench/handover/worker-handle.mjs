// A worker process (worker.mjs) as the measurement sees it: what it was told, and what it said when.

export class Worker {
  child
  pid
  /** Everything that it said, in order: {said, at, …}. */
  said = []
  #waiting = new Set()

  constructor(child) {
    this.child = child
    this.pid = child.pid
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)))
    child.on('message', (message) => {
      this.said.push(message)
      for (const wait of [...this.#waiting]) wait()
    })
  }

  /** Tells it to acquire and serve `web`; the options are in worker.mjs. */
  serve(options = {}) {
    this.child.send({ do: 'serve', ...options })
  }

  tell(what, details = {}) {
    this.child.send({ do: what, ...details })
  }

  /** What it says next of these, not before `from` in `said`. Rejects when it says `failed` instead, or ends. */
  hear(what, from = 0) {
    return new Promise((resolve, reject) => {
      const settle = () => {
        const found = this.said.slice(from).find(({ said }) => said === what || said === 'failed')
        if (!found) return
        this.#waiting.delete(settle)
        if (found.said === what) resolve(found)
        else reject(Object.assign(new Error(`the worker failed: ${found.code} ${found.message}`), { code: found.code }))
      }
      this.#waiting.add(settle)
      this.exited.then((code) => {
        if (this.#waiting.delete(settle)) reject(new Error(`the worker ended (${code}) before it said ${what}`))
      })
      settle()
    })
  }

  /** Resolves when it serves; then with the lease's number and generation. */
  async begin(options) {
    const from = this.said.length
    this.serve(options)
    return await this.hear('serving', from)
  }

  /** kill -9. Returns when, on CLOCK_MONOTONIC in nanoseconds. */
  kill() {
    const at = process.hrtime.bigint()
    process.kill(this.pid, 'SIGKILL')
    return at
  }

  async end() {
    if (this.child.connected) this.child.disconnect()
    await this.exited
  }
}
