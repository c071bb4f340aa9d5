import { spawn } from 'node:child_process'
import { expect, it } from 'vitest'
import { connect, type Lease } from '../../src/client/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { CLI, type Daemon, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:root", "user:0"]\ndrain_timeout = "20s"'

interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

function start(daemon: Daemon, ...args: string[]) {
  const child = spawn(process.execPath, [CLI, '--socket', daemon.control, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const outcome: Outcome = { status: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    outcome.stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    outcome.stderr += chunk
  })
  const ended = new Promise<Outcome>((resolve) =>
    child.once('close', (status) => resolve(Object.assign(outcome, { status }))),
  )
  atEnd(() => {
    child.kill('SIGKILL')
    return ended
  })
  return { child, outcome, ended }
}

const run = (daemon: Daemon, ...args: string[]) => start(daemon, ...args).ended

function client(daemon: Daemon) {
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  return broker
}

async function acquireReady(daemon: Daemon): Promise<Lease> {
  const lease = await client(daemon).acquire('web')
  await lease.ready()
  return lease
}

it('drain asks every holder of a name, and twice succeeds', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const leases = [await acquireReady(daemon), await acquireReady(daemon)]
  const drained = Promise.all(leases.map((lease) => new Promise((resolve) => lease.once('drain', resolve))))
  expect(await run(daemon, 'drain', 'web')).toMatchObject({ status: 0, stdout: 'web: 2 holders asked to drain\n' })
  expect(await drained).toMatchObject([{ reason: 'admin' }, { reason: 'admin' }])
  expect(await run(daemon, 'drain', 'web')).toMatchObject({ status: 0 })
  for (const lease of leases) await lease.release()
  await stopCleanly(daemon)
})

it('drain --wait shows who is left until the last has gone', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const lease = await acquireReady(daemon)
  const { outcome, ended } = start(daemon, 'drain', String(lease.id), '--wait', '--json')
  await until(async () => lease.state === 'draining', 'the holder is asked')
  expect(outcome.status).toBe(null)
  await lease.release()
  expect(JSON.parse((await ended).stdout)).toEqual({ lease: lease.id, drained: [lease.id], left: [] })
  expect(await run(daemon, 'drain', String(lease.id), '--wait')).toMatchObject({ status: 0, stderr: '' })

  const next = await acquireReady(daemon)
  const people = start(daemon, 'drain', 'web', '--wait')
  await until(() => people.outcome.stderr !== '', 'it says whom it waits for')
  expect(people.outcome.stderr).toBe(`waiting for lease ${next.id} (pid ${process.pid}, root)\n`)
  await next.release()
  expect(await people.ended).toMatchObject({ status: 0, stdout: 'web: 1 holder drained and gone\n' })
  await stopCleanly(daemon)
})

it('drain refuses what does not exist, and what is neither', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  expect(await run(daemon, 'drain', 'nothing')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('NOT_FOUND'),
  })
  expect(await run(daemon, 'drain', '77')).toMatchObject({ status: 1, stderr: expect.stringContaining('NOT_FOUND') })
  expect(await run(daemon, 'drain')).toMatchObject({ status: 100 })
  expect(await run(daemon, 'drain', 'web', '--timeout', 'soon')).toMatchObject({ status: 100 })
  await stopCleanly(daemon)
})

it('pause stops grants until resume, each twice with success, and list shows it', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const broker = client(daemon)
  expect(await run(daemon, 'pause', 'web')).toMatchObject({ status: 0, stdout: 'web: paused\n' })
  expect(await run(daemon, 'pause', 'web', '--json')).toMatchObject({ status: 0 })
  expect((await broker.list())[0]).toMatchObject({ name: 'web', state: 'paused' })
  await expect(broker.acquire('web')).rejects.toMatchObject({ code: 'PAUSED' })
  const waiting = broker.acquire('web', { wait: 20_000 })
  await until(async () => (await broker.list())[0]?.waiting === 1, 'the request waits')
  expect(await run(daemon, 'resume', 'web')).toMatchObject({ status: 0, stdout: 'web: resumed\n' })
  expect(JSON.parse((await run(daemon, 'resume', 'web', '--json')).stdout)).toEqual({ name: 'web', paused: false })
  await (await waiting).release()
  await stopCleanly(daemon)
})

it('pause --drain drains the holders too', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const lease = await acquireReady(daemon)
  const drained = new Promise((resolve) => lease.once('drain', resolve))
  expect(await run(daemon, 'pause', 'web', '--drain')).toMatchObject({ status: 0 })
  expect(await drained).toMatchObject({ reason: 'pause' })
  await lease.release()
  await stopCleanly(daemon)
})

it('events shows what happens until it is told to stop, of one name if asked, one object a line with --json', async () => {
  const daemon = await startDaemon({ sockets: `${SOCKETS}\n${SOCKETS.replace('sockets.web', 'sockets.api')}` })
  const { child, outcome, ended } = start(daemon, 'events', '--json', '--name', 'web')
  const text = start(daemon, 'events')
  const broker = client(daemon)
  const seen = () => outcome.stdout.includes('"released"') && text.outcome.stdout.includes('released')
  const happen = async () => {
    await (await broker.acquire('api', { ready: true })).release()
    await (await broker.acquire('web', { ready: true })).release()
    return seen()
  }
  await until(happen, 'the events arrive')
  child.kill('SIGINT')
  text.child.kill('SIGTERM')
  expect(await ended).toMatchObject({ status: 0, stderr: '' })
  expect(await text.ended).toMatchObject({ status: 0, stderr: '' })
  const events = outcome.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(new Set(events.map(({ name }) => name))).toEqual(new Set(['web']))
  expect(events.find(({ event }) => event === 'released')).toMatchObject({
    lease: expect.any(Number),
    pid: process.pid,
  })
  expect(text.outcome.stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{3} \w+ +name=(web|api) lease=\d+ /m)
  await stopCleanly(daemon)
})
