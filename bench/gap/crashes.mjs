// From a crash (SIGKILL of a worker) to the next answer, under a client that asks a thousand times a second on new connections.

import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { withBench } from '../support/broker.mjs'
import { quantile, round } from '../support/table.mjs'
import { Stage } from './stage.mjs'

const PATIENCE_MS = 10_000
/** From an answer to the next kill: long enough for the worker that was killed before to stand ready again. */
const SETTLED_MS = 500
/** systemd's RestartSec. Where another worker takes over, this process, which is the client too, starts nothing at that moment. */
const SUPERVISOR_MS = 100

const WAYS = [
  { what: 'self-bound, restart loop', how: 'self' },
  { what: 'self-bound, a supervisor that waits 100 ms', how: 'self', pause: SUPERVISOR_MS },
  { what: 'a supervisor holds the socket and restarts', how: 'inherited', mode: 'shared' },
  { what: 'fd-broker, restart loop', how: 'broker', mode: 'shared' },
  { what: 'fd-broker, two shared workers', how: 'broker', mode: 'shared', workers: 2, pause: SUPERVISOR_MS },
  { what: 'fd-broker, exclusive with a standby', how: 'standby', mode: 'exclusive', workers: 2, pause: SUPERVISOR_MS },
]

export async function crashes({ quick }) {
  const rounds = quick ? 2 : 10
  const turns = quick ? [WAYS] : [WAYS, WAYS.toReversed()]
  const seen = new Map(WAYS.map((way) => [way, { gaps: [], refused: 0 }]))
  for (const way of turns.flat()) await withBench((bench) => measure(bench, way, rounds, seen.get(way)))
  return {
    heading: `crash → next answer, ms, ${rounds * turns.length} times each`,
    columns: ['', 'p50', 'worst', 'refused'],
    rows: [...seen].map(([{ what }, { gaps, refused }]) => [
      what,
      round(quantile(gaps, 0.5), 1),
      round(Math.max(...gaps), 1),
      refused,
    ]),
  }
}

async function measure(bench, way, rounds, seen) {
  const stage = await Stage.open(bench, way)
  const client = new Client(stage.port)
  try {
    const stop = keepAlive(stage, way)
    for (let i = 0; i < rounds; i++) {
      const { pid } = await client.nextAnswer()
      await sleep(SETTLED_MS)
      const from = performance.now()
      process.kill(pid, 'SIGKILL')
      const { refused } = await client.nextAnswer(pid)
      seen.gaps.push(performance.now() - from)
      seen.refused += refused
    }
    stop()
  } finally {
    client.close()
    await stage.close()
  }
}

/** Workers that are started again when they have ended, at once or after a `pause`; until what this returns is called. */
function keepAlive(stage, { how, workers = 1, pause }) {
  let over = false
  const start = () => {
    if (over) return
    stage.start(how).once('exit', () => (pause === undefined ? start() : setTimeout(start, pause)))
  }
  for (let i = 0; i < workers; i++) start()
  return () => {
    over = true
  }
}

class Client {
  #port
  #pending = new Set()

  constructor(port) {
    this.#port = port
  }

  /** Asks every millisecond, without waiting for what was asked before, until another than `former` has answered. */
  async nextAnswer(former) {
    let refused = 0
    let timer
    const answered = new Promise((resolve) => {
      timer = setInterval(() => {
        this.#ask().then(
          (pid) => pid !== former && resolve(pid),
          () => refused++,
        )
      }, 1)
    })
    const late = new AbortController()
    try {
      const pid = await Promise.race([answered, sleep(PATIENCE_MS, undefined, { signal: late.signal })])
      if (pid === undefined) throw new Error(`no answer within ${PATIENCE_MS} ms`)
      return { pid, refused }
    } finally {
      late.abort()
      clearInterval(timer)
    }
  }

  /** Resolves with the pid of who answers. */
  #ask() {
    return new Promise((resolve, reject) => {
      const asked = request({ port: this.#port, host: '127.0.0.1', agent: false }, (answer) => {
        answer.setEncoding('utf8').once('data', (text) => resolve(Number(text)))
      })
      this.#pending.add(asked)
      asked.once('close', () => this.#pending.delete(asked)).once('error', reject)
      asked.end()
    })
  }

  /** What nobody answers any more would wait for ever. */
  close() {
    for (const asked of this.#pending) asked.destroy()
  }
}
