import { expect, it } from 'vitest'
import { type BrokerEvent, connect } from '../../src/client/index.ts'
import { runChild } from '../support/child.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { ended } from '../support/sdk.ts'

forbidLeaks()

const SOCKETS = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n'

async function start(directory?: string) {
  const daemon = await startDaemon({ sockets: SOCKETS, ...(directory && { directory }) })
  const broker = connect({ socket: daemon.control, timeout: 2000 })
  atEnd(() => broker.close())
  return { daemon, broker }
}

/** Reads on while the test goes on. */
function collect(events: AsyncIterable<BrokerEvent>) {
  const heard: BrokerEvent[] = []
  const done = (async () => {
    for await (const event of events) heard.push(event)
  })()
  done.catch(() => {})
  const names = () => heard.map(({ event }) => event)
  return { heard, names, done }
}

it('events() tells what happens to leases, until the signal aborts', async () => {
  const { broker } = await start()
  const abort = new AbortController()
  const { heard, names, done } = collect(broker.events({ signal: abort.signal }))
  await until(async () => {
    const lease = await broker.acquire('web', { ready: true })
    await broker.drain({ lease: lease.id })
    await lease.release()
    return names().includes('released')
  }, 'events come')
  expect(names()).toEqual(expect.arrayContaining(['granted', 'drain', 'released']))
  expect(heard[0]).toMatchObject({ at: expect.any(Number), name: 'web', lease: expect.any(Number) })
  expect(Math.abs(heard[0]!.at - Date.now())).toBeLessThan(60_000)
  abort.abort(new Error('enough'))
  expect(await ended(done)).toMatchObject({ message: 'enough' })
})

it('events() goes on with the next broker, and says that it lost sight meanwhile', async () => {
  const { daemon, broker } = await start()
  const { names, done } = collect(broker.events())
  await until(async () => {
    await (await broker.acquire('web')).release()
    return names().length > 0
  }, 'events come')
  await daemon.stop('SIGKILL')
  await startDaemon({ sockets: SOCKETS, directory: daemon.directory })
  await until(() => names().includes('reconnected'), 'it is connected again')
  const before = names().length
  await (await broker.acquire('web')).release()
  await until(() => names().length > before, 'events come again')
  await broker.close()
  expect(await ended(done)).toMatchObject({ code: 'CLOSED' })
})

it('events() keeps a process alive while it waits, and leaves nothing behind after break', async () => {
  const { daemon, broker } = await start()
  const child = runChild(`for await (const { event } of broker.events()) { console.log(event); break }`, {
    directory: daemon.directory,
    socket: daemon.control,
  })
  let over = false
  void child.then(() => {
    over = true
  })
  await until(async () => {
    await (await broker.acquire('web')).release()
    return over
  }, 'the child hears and ends')
  const { stdout, ...rest } = await child
  expect(rest).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^(granted|released)\n$/)
})

it('pause() grants nothing until resume(), and drains where asked', async () => {
  const { broker } = await start()
  const lease = await broker.acquire('web', { ready: true })
  const drained = new Promise((resolve) => lease.once('drain', resolve))
  await broker.pause('web', { drain: true })
  expect(await drained).toMatchObject({ reason: 'pause' })
  expect(await ended(broker.acquire('web'))).toMatchObject({ code: 'PAUSED' })
  await broker.pause('web')
  await broker.resume('web')
  await broker.resume('web')
  await (await broker.acquire('web')).release()
  expect(await ended(broker.pause('nothing'))).toMatchObject({ code: 'NOT_FOUND' })
})
