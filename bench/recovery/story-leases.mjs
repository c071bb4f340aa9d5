// A hand-over of an exclusive name with a held `ready` and a waiter, beside a release of a shared one.

import { connect } from '../../dist/client/index.js'
import { Journal, later, waits } from './story-journal.mjs'

export async function playLeases({ control, admin, cast }) {
  const client = () => {
    const one = connect({ socket: control, timeout: 30_000 })
    cast.push(one)
    return one
  }
  const journal = new Journal(admin)
  const [a, b, c, d] = [client(), client(), client(), client()]
  const giveBack = async (lease) => {
    journal.leases.delete(lease)
    await lease.release()
  }

  const blue = journal.note(await a.acquire('web', { label: 'blue' }))
  await blue.ready()
  const former = journal.note(await b.acquire('only'))
  await former.ready()
  const drained = new Promise((resolve) => former.once('drain', resolve))
  const next = journal.note(await c.acquire('only', { takeover: true }))
  const ready = later(next.ready())
  await drained
  const waiting = later(d.acquire('only', { wait: Number.POSITIVE_INFINITY }))
  await waits(admin, 'only')
  const superseded = new Promise((resolve) => blue.once('drain', resolve))
  const green = journal.note(await a.acquire('web', { takeover: true, generation: 'v2' }))
  await green.ready()
  await superseded
  await admin.pause('web')
  // While `ready` is held the newcomer is granted to its client, and ready to the broker.
  journal.leases.delete(next)
  const held = journal.note({ id: next.id, name: 'only', state: 'ready' })
  await journal.compare('while the name is handed over')
  journal.leases.delete(held)
  journal.note(next)
  await giveBack(former)
  await ready
  await giveBack(blue)
  await admin.resume('web')
  await journal.compare('after the hand-over')
  await giveBack(next)
  const last = journal.note(await waiting)
  await last.ready()
  await journal.compare('when the waiter was served')
  await giveBack(last)
  await giveBack(green)
  await journal.settled()
  await journal.compare('at the end')
  return journal.faults
}
