// A broker dies in the middle of a hand-over, with leases of both kinds, a held `ready`, a waiter and a paused name; the one that comes
// after it dies too, while it takes over or soon after; the third one ends the hand-over.

import { connect } from '../../dist/client/index.js'
import { Journal, later, waits } from './story-journal.mjs'
import { Program } from './story-programs.mjs'

export async function playRestart({ control, admin, cast, restart }) {
  const client = () => {
    const one = connect({ socket: control, timeout: 30_000 })
    cast.push(one)
    return one
  }
  const program = new Program(control)
  cast.push(program)
  const journal = new Journal(admin)
  const [a, b, c, d] = [client(), client(), client(), client()]
  const blue = journal.note(await a.acquire('web', { label: 'blue' }))
  await blue.ready()
  const bound = journal.note(await program.do('acquire', 'web', { label: 'bound' }))
  const former = journal.note(await b.acquire('only'))
  await former.ready()
  const drained = new Promise((resolve) => former.once('drain', resolve))
  const next = await c.acquire('only', { takeover: true })
  const ready = later(next.ready())
  await drained
  const waiting = later(d.acquire('only', { wait: Number.POSITIVE_INFINITY }))
  await waits(admin, 'only')
  await admin.pause('web')
  const held = journal.note({ id: next.id, name: 'only', state: 'ready' })
  await journal.compare('before')

  restart()
  await journal.compare('after the restart')
  journal.leases.delete(held)
  journal.note(next)
  journal.leases.delete(former)
  await former.release()
  await ready
  await admin.resume('web')
  await program.until('READY=1', async () => (await journal.holders()).every(({ state }) => state === 'ready'))
  bound.state = 'ready'
  await journal.compare('after the hand-over')
  journal.leases.delete(next)
  await next.release()
  const last = journal.note(await waiting)
  await last.ready()
  await journal.compare('when the waiter was served')
  for (const lease of [last, blue]) await lease.release()
  await program.end()
  journal.leases.clear()
  await journal.settled()
  await journal.compare('at the end')
  return journal.faults
}
