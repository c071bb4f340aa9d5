// Process-bound leases: programs that take two names on one connection, leave it, are ready by sd_notify, hand a lease to a child of
// theirs, are drained by signal and end; and the hand-over of an exclusive name to the next, with a third that waits.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Journal, later, waits } from './story-journal.mjs'

export async function playPrograms({ control, admin, cast }) {
  const program = () => {
    const one = new Program(control)
    cast.push(one)
    return one
  }
  const journal = new Journal(admin)
  const [p, q, r] = [program(), program(), program()]
  const both = [await p.do('acquire', 'web', {}), await p.do('acquire', 'only', {})]
  for (const lease of both) journal.note(lease)
  await journal.compare('when both names are granted')
  await p.do('ready', 'only')
  both[1].state = 'ready'
  await p.do('detach')
  // What is said while the broker dies it may not hear: a program that is not heard says it again.
  await p.until('READY=1', async () => (await journal.holders()).every(({ state }) => state === 'ready'))
  both[0].state = 'ready'
  await journal.compare('when the program has left its connection')
  const pid = await p.heir('web')
  await p.until(`MAINPID=${pid}`, async () => (await journal.holders()).some((holder) => holder.pid === pid))
  await journal.compare('when a lease has moved')

  const next = journal.note(await q.do('acquire', 'only', { takeover: true }))
  const ready = later(q.do('ready', 'only'))
  await p.drained
  both[1].state = 'draining'
  const waiting = later(r.do('acquire', 'only', { wait: true }))
  await waits(admin, 'only')
  next.state = 'ready'
  await journal.compare('while the name is handed over')
  await p.end()
  for (const lease of both) journal.leases.delete(lease)
  await ready
  // `ready` waits for the former holder of its own name, not for the other one's.
  await journal.ended(both[0])
  await journal.compare('after the hand-over')
  await q.end()
  journal.leases.delete(next)
  const last = journal.note(await waiting)
  await r.do('ready', 'only')
  last.state = 'ready'
  await journal.compare('when the waiter was served')
  await r.end()
  journal.leases.delete(last)
  await journal.settled()
  await journal.compare('at the end')
  return journal.faults
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

export class Program {
  /** Resolves when it is told to drain by signal. */
  drained
  #child
  #heirs = []
  #asked = 0

  constructor(control) {
    this.#child = fork(join(import.meta.dirname, 'program.mjs'), [control])
    this.#child.setMaxListeners(0)
    this.drained = new Promise((resolve) => this.#child.on('message', ({ event }) => event === 'drain' && resolve()))
  }

  do(method, ...args) {
    const id = ++this.#asked
    const answer = new Promise((resolve, reject) => {
      const hear = (message) => {
        if (message.id !== id) return
        this.#child.off('message', hear)
        if (message.error === undefined) resolve(message.result)
        else reject(new Error(`${method} ${args[0] ?? ''}: ${message.error}`))
      }
      this.#child.on('message', hear)
    })
    this.#child.send({ id, method, args })
    return answer
  }

  /** Says it again and again until the broker has heard it. */
  async until(text, heard) {
    do {
      await this.do('say', text)
      await sleep(5)
    } while (!(await heard()))
  }

  /** A process that ends with it, and has the sockets of the name. */
  async heir(name) {
    const { pid } = await this.do('heir', name)
    this.#heirs.push(pid)
    return pid
  }

  async end() {
    for (const pid of this.#heirs.splice(0)) kill(pid)
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  close() {
    return this.end()
  }
}
