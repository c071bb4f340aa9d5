import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Asker, closeAll } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, IS_ROOT, NOBODY, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { start } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { RawClient } from '../support/raw-client.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'

/** Leaves the broker room for `count` more descriptors. */
function leaveFree(daemon: Daemon, count: number): void {
  const taken = new Set(readdirSync(`/proc/${daemon.pid}/fd`).map(Number))
  let limit = 0
  for (let free = 0; taken.has(limit) || free++ < count; ) limit++
  execFileSync('prlimit', ['--pid', String(daemon.pid), `--nofile=${limit}:`])
}

describe('a broker whose descriptor table is full', () => {
  it('sheds new connections, harms no lease, and recovers when there is room', { timeout: 60_000 }, async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const holder = await Asker.connect(daemon.control)
    const lease = await holder.lease('web', { ready: true })
    const before = daemon.fds()
    leaveFree(daemon, 10)

    const crowd = Array.from({ length: 100 }, () => new RawClient(daemon.control))
    for (const one of crowd) greet(one)
    await until(() => daemon.logs().some(({ msg }) => String(msg).includes('out of descriptors')), 'it says so')
    await until(() => crowd.some(({ closed }) => closed), 'somebody is shed')
    expect(daemon.process.exitCode).toBeNull()
    expect(await holder.ask('ready', { lease })).toMatchObject({ ok: true, state: 'ready' })
    expect(await holder.ask('stats')).toMatchObject({ ok: true })
    const again = await holder.received('sockets', { lease })
    expect(again.message).toMatchObject({ ok: true })
    expect(again.fds.length).toBe(1)
    closeAll(again.fds)

    for (const one of crowd) one.close()
    await until(() => daemon.fds() <= before, 'the descriptors are free again')
    // Connections of the crowd that were never accepted are still in the queue, before this one: it may be shed with them.
    let late: Asker | undefined
    const connected = async () => {
      late = await Asker.connect(daemon.control).catch(() => undefined)
      return late !== undefined
    }
    await until(connected, 'a new connection is served')
    expect(await late!.ask('list')).toMatchObject({ ok: true, sockets: [{ holders: { ready: 1 } }] })
    await late!.lease('web')
    late!.close()
    holder.close()
    await stopCleanly(daemon)
  })

  it.each([1, 2])('grants nothing to a process that it cannot watch: with room for %i', async (free) => {
    const daemon = await startDaemon({ sockets: WEB })
    const viewer = await Asker.connect(daemon.control)
    const worker = startWorker(daemon, WATCHED)
    await worker.line()
    leaveFree(daemon, free)
    worker.write('')
    const outcome = await worker.line()
    // Who holds what is read from /proc, which takes descriptors too.
    leaveFree(daemon, 100)
    const holders = (await viewer.ask('holders')).holders as unknown[]
    process.kill(worker.pid, 'SIGKILL')
    await until(async () => ((await viewer.ask('holders')).holders as unknown[]).length === 0, 'its lease has ended')
    expect([outcome, holders.length]).toEqual(free === 2 ? ['ok', 1] : ['CLOSED', 0])
    await worker.exit()
    viewer.close()
    await stopCleanly(daemon)
  })

  it.each([0, 1, 2])('refuses to list holders, of whom it could not see all: with room for %i', async (free) => {
    const daemon = await startDaemon({ sockets: WEB })
    const holder = await Asker.connect(daemon.control)
    await holder.lease('web')
    leaveFree(daemon, free)
    expect(await holder.ask('holders')).toMatchObject({
      code: 'SYSTEM',
      message: 'the broker failed at this request: reading /proc: EMFILE (too many open files); its log says more',
    })
    leaveFree(daemon, 100)
    expect(await holder.ask('holders')).toMatchObject({ ok: true, holders: [{ name: 'web', pid: process.pid }] })
    holder.close()
    await stopCleanly(daemon)
  })

  it('refuses nobody for good whom it cannot see: a standby waits on, and is granted when it can be seen', async () => {
    const daemon = await startDaemon({
      sockets: `${WEB.replace('any', 'cgroup:/')}\nmax_holders = 1`,
    })
    const [holder, standby] = [await Asker.connect(daemon.control), await Asker.connect(daemon.control)]
    const lease = await holder.lease('web', { ready: true })
    let answer: unknown
    const asked = standby.ask('acquire', { name: 'web', wait: -1 }).then((message) => {
      answer = message
    })
    await until(async () => (await standby.ask('list'))['sockets'] !== undefined, 'it waits')
    leaveFree(daemon, 0)
    await holder.ask('release', { lease })
    expect(await holder.ask('acquire', { name: 'web' })).toMatchObject({
      code: 'SYSTEM',
      message: 'the broker cannot see now who asks for "web": open: EMFILE (too many open files); ask again',
    })
    const blind = () => daemon.logs().filter(({ msg }) => msg === 'who asks for a name cannot be seen')
    await until(() => blind().length > 0, 'it tells')
    await sleep(300)
    expect(answer).toBeUndefined()
    expect(blind()).toHaveLength(1)
    leaveFree(daemon, 100)
    await asked
    expect(answer).toMatchObject({ ok: true, name: 'web' })
    holder.close()
    standby.close()
    await stopCleanly(daemon)
  })

  it('sheds a connection of which it cannot say whether it is an admin’s', async () => {
    const daemon = await startDaemon({ sockets: WEB, broker: 'admins = ["cgroup:/none"]' })
    const worker = startWorker(daemon, "say('up'); wait(); say(code(connect)); wait(); say(code(connect))")
    await worker.line()
    // One for the connection, one for its pidfd.
    leaveFree(daemon, 2)
    worker.write('')
    expect(await worker.line()).toBe('CLOSED')
    leaveFree(daemon, 100)
    worker.write('')
    expect(await worker.line()).toBe('ok')
    await worker.exit()
    await stopCleanly(daemon)
  })

  it('looks again for who keeps a copy of an exclusive name, when it can', async () => {
    const daemon = await startDaemon({ sockets: `${WEB}\nmode = "exclusive"` })
    const logged = (what: string) => daemon.logs().find(({ msg }) => msg === what)
    const program = start(daemon, ['exec', 'web', '--', 'sh', '-c', 'sleep 60 & echo $!; wait'])
    await until(() => program.stdout().includes('\n'), 'the child runs')
    const child = Number(program.stdout())
    atEnd(() => process.kill(child, 'SIGKILL'))
    leaveFree(daemon, 0)
    program.kill('SIGKILL')
    await until(
      () => logged('who keeps a copy of the socket cannot be seen; there is another look soon') !== undefined,
      'it tells',
    )
    expect(logged('undeclared')).toBeUndefined()
    leaveFree(daemon, 100)
    await until(() => logged('undeclared') !== undefined, 'it looks again')
    expect(logged('undeclared')).toMatchObject({ name: 'web', pids: [child] })
    await stopCleanly(daemon)
  })
})

/** Its child keeps the connection open: only a pidfd shows that the process has ended. */
const WATCHED = `
say('up')
wait()
try:
    broker = connect()
    granted(broker, 'web')
    if os.fork() == 0:
        wait()
        os._exit(0)
    say('ok')
except (BrokerError, OSError) as error:
    say(getattr(error, 'code', error))
wait()
`

/** Says hello, unless it was shed already. */
function greet(client: RawClient): void {
  try {
    client.request(0, 'hello', { version: 1 })
  } catch {
    // Shed.
  }
}

describe.runIf(IS_ROOT)('quotas of a user (needs root)', () => {
  it('keep its connections to max_connections_per_uid; others and admins go on', async () => {
    const daemon = await startDaemon({ sockets: WEB, broker: 'max_connections_per_uid = 5' })
    const worker = startWorker(
      daemon,
      `
kept = [connect() for _ in range(5)]
say(code(connect), code(connect))
wait()
# Its id is its own, and what follows hello is not answered any more.
one = Connection(sys.argv[2], timeout=30)
one._next_id = 77
one.start('hello', version=1)
one.start('list')
say('both are sent')
first = one.receive().message
say((first['id'], first['code'], first['message'], code(one.receive)))
say(code(granted, kept[0], 'web'))
kept.pop().close()
for _ in range(100):
    if code(lambda: kept.append(connect())) == 'ok': break
    time.sleep(0.02)
say(len(kept))
wait()
`,
      NOBODY,
    )
    expect(await worker.line()).toBe('LIMIT LIMIT')
    // It would answer the first and close before the second is sent.
    process.kill(daemon.pid, 'SIGSTOP')
    worker.write('')
    expect(await worker.line()).toBe('both are sent')
    process.kill(daemon.pid, 'SIGCONT')
    expect(await worker.line()).toMatch(
      /^\(77, 'LIMIT', 'uid 65534 has 5 connections.*max_connections_per_uid.*', 'CLOSED'\)$/,
    )
    expect(await worker.line()).toBe('ok')
    expect(await worker.line()).toBe('5')
    const refused = () => daemon.logs().find(({ uid }) => uid === NOBODY)
    await until(() => refused() !== undefined, 'the log says so')
    expect(refused()!.msg).toContain('max_connections_per_uid')
    const admins = await Promise.all(Array.from({ length: 20 }, () => Asker.connect(daemon.control)))
    for (const admin of admins) admin.close()
    const other = startWorker(daemon, "say(code(granted, connect(), 'web'))", NOBODY - 1)
    expect(await other.line()).toBe('ok')
    worker.write('')
    await Promise.all([worker.exit(), other.exit()])
    await stopCleanly(daemon)
  })

  it('let few of those that are too many wait for an answer, whatever they send, and not for long', async () => {
    const daemon = await startDaemon({ sockets: WEB, broker: 'max_connections_per_uid = 5\nhello_timeout = "10m"' })
    const admin = await Asker.connect(daemon.control)
    const worker = startWorker(
      daemon,
      `
from msgpack_lite import pack
kept = [connect() for _ in range(5)]
crowd = [Connection(sys.argv[2], timeout=30) for _ in range(300)]
say('there')
wait()
answers = []
for first in ({'id': 1, 'op': 'hello', 'version': 9}, {'id': 1, 'op': 'hello', 'x': 1}, {'id': 1, 'op': 'list'}, {'op': 'list'}):
    one = Connection(sys.argv[2], timeout=30)
    one.send_raw(pack(first))
    try: answers.append(one.receive().message['code'])
    except BrokerError as error: answers.append(error.code)
    answers.append(code(one.receive))
say(*answers)
wait()
`,
      NOBODY,
    )
    await worker.line()
    const connections = async () => Number((await admin.ask('stats'))['connections'])
    expect(await connections()).toBeLessThanOrEqual(1 + 5 + 64)
    await until(async () => (await connections()) === 1 + 5, 'who says nothing is closed')
    worker.write('')
    expect(await worker.line()).toBe('LIMIT CLOSED LIMIT CLOSED PROTOCOL CLOSED CLOSED CLOSED')
    worker.write('')
    await worker.exit()
    admin.close()
    await stopCleanly(daemon)
  })

  it('keep its requests to max_requests_per_uid a second, and the refusal says which limit', async () => {
    const daemon = await startDaemon({ sockets: WEB, broker: 'max_requests_per_uid = 20' })
    const program = `
one, two = connect(), connect()
answers = []
for at in range(50):
    try: (one, two)[at % 2].request('release', lease=1)
    except BrokerError as error: answers.append(str(error))
say(sum('LIMIT' in answer for answer in answers))
say([answer for answer in answers if 'LIMIT' in answer][:1])
time.sleep(1.1)
say(code(granted, one, 'web'))
`
    const worker = startWorker(daemon, program, NOBODY)
    // The 50 requests may fall into two seconds.
    expect(Number(await worker.line())).toBeGreaterThanOrEqual(50 - 40)
    expect(await worker.line()).toMatch(/max_requests_per_uid/)
    expect(await worker.line()).toBe('ok')
    await worker.exit()
    const admin = await Asker.connect(daemon.control)
    for (let at = 0; at < 100; at++) expect(await admin.ask('stats')).toMatchObject({ ok: true })
    admin.close()
    await stopCleanly(daemon)
  })
})

describe('1000 idle connections', () => {
  it('do not keep the others from being served, and cost the broker nothing afterwards', {
    timeout: 60_000,
  }, async () => {
    const daemon = await startDaemon({ sockets: WEB, broker: 'hello_timeout = "1m"' })
    const first = await Asker.connect(daemon.control)
    await first.ask('stats')
    const before = daemon.fds()
    const idle = Array.from({ length: 1000 }, () => new RawClient(daemon.control))
    const worker = await Asker.connect(daemon.control)
    const times: number[] = []
    for (let round = 0; round < 50; round++) {
      const started = performance.now()
      const lease = await worker.lease('web', { ready: true })
      await worker.ask('release', { lease })
      times.push(performance.now() - started)
    }
    expect(times.sort((a, b) => a - b)[25]).toBeLessThan(1000)
    expect((await first.ask('stats')).connections).toBe(1002)
    for (const one of idle) one.close()
    worker.close()
    await until(() => daemon.fds() === before, 'the broker has what it had before')
    first.close()
    await stopCleanly(daemon)
  })
})
