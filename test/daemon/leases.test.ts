import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { socketCookie } from '../../src/sys/index.ts'
import { Asker, closeAll, type Message } from '../support/asker.ts'
import { type Daemon, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const SELF = `allow = ["user:${process.getuid!()}"]`
const SOCKETS = `
[sockets.web]
listen = "tcp://127.0.0.1:0"
${SELF}
[sockets.brief]
listen = "tcp://127.0.0.1:0"
ready_timeout = "200ms"
${SELF}
[sockets.one]
listen = "unix://{dir}/one.sock"
mode = "exclusive"
${SELF}
`

/** Runs with a broker and a connection that looks; the broker has the same descriptors afterwards. */
async function use(run: (daemon: Daemon, viewer: Asker) => Promise<void>, sockets = SOCKETS): Promise<void> {
  const daemon = await startDaemon({ sockets })
  const viewer = await Asker.connect(daemon.control)
  const before = daemon.fds()
  await run(daemon, viewer)
  await until(() => daemon.fds() === before, 'the broker has what it had before')
  viewer.close()
  await stopCleanly(daemon)
}

const holders = async (viewer: Asker) => (await viewer.ask('holders'))['holders'] as Message[]
const nobodyHolds = (viewer: Asker) => until(async () => (await holders(viewer)).length === 0, 'no lease is left')
const events = (daemon: Daemon) => daemon.logs().map(({ msg }) => msg)
const logged = (daemon: Daemon, event: string) => until(() => events(daemon).includes(event), `${event} is logged`)

describe('a lease', () => {
  it('is granted, ready and released; releasing again does no harm, ready is over', () =>
    use(async (daemon, viewer) => {
      const worker = await Asker.connect(daemon.control)
      const grant = await worker.ask('acquire', { name: 'web', label: 'first' })
      expect(grant).toMatchObject({ ok: true, name: 'web', state: 'granted', readyWithin: 60_000 })
      const { lease } = grant
      expect(await holders(viewer)).toMatchObject([{ lease, pid: process.pid, state: 'granted', label: 'first' }])
      expect(await worker.ask('ready', { lease })).toMatchObject({ ok: true, state: 'ready', promoted: true })
      expect(await worker.ask('ready', { lease })).toMatchObject({ ok: true, state: 'ready', promoted: true })
      expect(await holders(viewer)).toMatchObject([{ lease, state: 'ready' }])
      expect(await worker.ask('release', { lease })).toMatchObject({ ok: true })
      expect(await holders(viewer)).toEqual([])
      expect(await worker.ask('release', { lease })).toMatchObject({ ok: true })
      expect(await worker.ask('ready', { lease })).toMatchObject({ ok: false, code: 'ENDED' })
      expect(await worker.ask('sockets', { lease })).toMatchObject({ ok: false, code: 'ENDED' })
      await logged(daemon, 'released')
      expect(events(daemon)).toEqual(expect.arrayContaining(['granted', 'ready', 'released']))
      worker.close()
    }))

  it('expires when it is not ready within ready_timeout, and its holder is told', () =>
    use(async (daemon, viewer) => {
      const worker = await Asker.connect(daemon.control)
      const lease = await worker.lease('brief')
      expect(await worker.next()).toEqual({ event: 'ended', lease, reason: 'expired' })
      expect(await worker.ask('ready', { lease })).toMatchObject({
        code: 'ENDED',
        message: expect.stringContaining('ready_timeout'),
      })
      expect(await holders(viewer)).toEqual([])
      const served = await worker.lease('brief', { ready: true })
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(await holders(viewer)).toMatchObject([{ lease: served, state: 'ready' }])
      worker.close()
      await nobodyHolds(viewer)
      await logged(daemon, 'expired')
    }))

  it('dies with its connection', () =>
    use(async (daemon, viewer) => {
      const worker = await Asker.connect(daemon.control)
      await worker.lease('web', { ready: true })
      worker.close()
      await nobodyHolds(viewer)
      await logged(daemon, 'died')
    }))

  it('dies with its process, also when a forked child keeps the connection open', () =>
    use(async (daemon, viewer) => {
      const worker = startWorker(
        daemon,
        `
broker = connect()
lease = granted(broker, 'one')
broker.ready(lease.id)
child = os.fork()
if child == 0:
    wait()
    say(code(broker.ready, lease.id))
    os._exit(0)
say(child)
wait()
`,
      )
      const child = Number(await worker.line())
      expect(await holders(viewer)).toMatchObject([{ pid: worker.pid, name: 'one' }])
      process.kill(worker.pid, 'SIGKILL')
      await nobodyHolds(viewer)
      expect(readFileSync(`/proc/${child}/stat`, 'utf8')).toContain('(')
      // The connection that the child keeps speaks for nobody now.
      worker.write('')
      expect(await worker.line()).toBe('DENIED')
      await worker.exit()
    }))

  it('brings its sockets again, any number of times, and always the same ones', () =>
    use(async (daemon) => {
      const worker = await Asker.connect(daemon.control)
      const lease = await worker.lease('web')
      const seen = new Set<string>()
      for (let times = 0; times < 20; times++) {
        const { message, fds } = await worker.received('sockets', { lease })
        const [socket] = message['sockets'] as { cookie: string }[]
        expect(fds.length).toBe(1)
        expect(socketCookie(fds[0]!.fd)).toBe(socket!.cookie)
        seen.add(socket!.cookie)
        closeAll(fds)
      }
      expect(seen.size).toBe(1)
      worker.close()
    }))

  it('has an id that only grows', () =>
    use(async (daemon) => {
      const ids: number[] = []
      for (let round = 0; round < 5; round++) {
        const worker = await Asker.connect(daemon.control)
        ids.push(await worker.lease('web'), await worker.lease('web'))
        worker.close()
      }
      expect(new Set(ids).size).toBe(10)
      expect(ids).toEqual([...ids].sort((a, b) => a - b))
    }))

  it('leaves the shared status flags and the backlog as configured', () =>
    use(async (daemon, viewer) => {
      const worker = startWorker(
        daemon,
        `
broker = connect()
lease = broker.acquire('web')
listener = socket.socket(fileno=lease.fds[0])
listener.setblocking(False)
listener.listen(7)
broker.ready(lease.id)
say('nonblocking', listener.getblocking())
wait()
`,
      )
      expect(await worker.line()).toBe('nonblocking False')
      const socket = async () =>
        ((await viewer.ask('list'))['sockets'] as { name: string; sockets: Message[] }[]).find(
          ({ name }) => name === 'web',
        )!.sockets[0]!
      expect(await socket()).toMatchObject({ limit: 4096 })
      worker.write('')
      await worker.exit()
      await nobodyHolds(viewer)
      const reader = await Asker.connect(daemon.control)
      const { fds } = await reader.received('acquire', { name: 'web' })
      const [, flags] = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fds[0]!.fd}`, 'utf8'))!
      expect(Number.parseInt(flags!, 8) & 0o4000).toBe(0)
      closeAll(fds)
      reader.close()
    }))
})

describe('an exclusive name', () => {
  it('is given to the standby that waits when its holder is killed', () =>
    use(async (daemon) => {
      const holder = startWorker(daemon, "broker = connect(); say(granted(broker, 'one').id); wait()")
      const first = Number(await holder.line())
      const standby = await Asker.connect(daemon.control)
      standby.send('acquire', { name: 'one', wait: -1 })
      await expect(standby.next(200)).rejects.toThrow('no message')
      const killed = performance.now()
      process.kill(holder.pid, 'SIGKILL')
      const grant = await standby.next()
      console.log(`standby granted ${(performance.now() - killed).toFixed(2)} ms after the kill`)
      expect(grant).toMatchObject({ ok: true, name: 'one', state: 'granted' })
      expect(grant['lease']).toBeGreaterThan(first)
      await until(() => events(daemon).filter((event) => event === 'granted').length === 2, 'the grant is logged')
      const order = daemon.logs().filter(({ msg }) => msg === 'died' || msg === 'granted')
      expect(order.map(({ msg, lease }) => [msg, lease])).toEqual([
        ['granted', first],
        ['died', first],
        ['granted', grant['lease']],
      ])
      standby.close()
    }))

  it('is given to the standby before anybody hears what it waited for', () =>
    use(async (daemon) => {
      const holder = startWorker(daemon, "broker = connect(); say(granted(broker, 'one').id); wait()")
      const first = Number(await holder.line())
      const standby = await Asker.connect(daemon.control)
      await standby.ask('events')
      standby.send('acquire', { name: 'one', wait: -1 })
      await standby.ask('stats')
      process.kill(holder.pid, 'SIGKILL')
      const { lease } = await standby.next()
      expect(await standby.next()).toMatchObject({ event: 'died', lease: first })
      expect(await standby.next()).toMatchObject({ event: 'granted', lease })
      standby.close()
    }))

  it('serves those who wait in the order in which they came', () =>
    use(async (daemon, viewer) => {
      const holder = await Asker.connect(daemon.control)
      await holder.lease('one')
      const line: Asker[] = []
      for (let place = 0; place < 5; place++) {
        const waiter = await Asker.connect(daemon.control)
        waiter.send('acquire', { name: 'one', wait: -1 })
        await waiter.ask('stats')
        line.push(waiter)
      }
      // One that gives its place up does not hold up the others.
      line[2]!.close()
      holder.close()
      const ids: number[] = []
      for (const waiter of [0, 1, 3, 4].map((at) => line[at]!)) {
        const { lease } = await waiter.next()
        ids.push(lease as number)
        expect(await holders(viewer)).toHaveLength(1)
        waiter.close()
      }
      expect(ids).toEqual([...ids].sort((a, b) => a - b))
    }))

  it('is BUSY without waiting, TIMEOUT after waiting, and neither leaves a place in the line', () =>
    use(async (daemon, viewer) => {
      const [holder, other] = [await Asker.connect(daemon.control), await Asker.connect(daemon.control)]
      await holder.lease('one')
      expect(await other.ask('acquire', { name: 'one' })).toMatchObject({ code: 'BUSY' })
      const asked = performance.now()
      expect(await other.ask('acquire', { name: 'one', wait: 150 })).toMatchObject({ code: 'TIMEOUT' })
      expect(performance.now() - asked).toBeGreaterThan(140)
      const list = (await viewer.ask('list'))['sockets'] as Message[]
      expect(list.find(({ name }) => name === 'one')).toMatchObject({ waiting: 0, holders: { granted: 1 } })
      holder.close()
      other.close()
    }))
})

describe('a name with many sockets', () => {
  const MANY = 300
  const listen = Array.from({ length: MANY }, (_, at) => `unix://@fd-broker-test/${process.pid}/many/${at}`)
  const MANY_SOCKETS = `[sockets.many]\nlisten = ${JSON.stringify(listen)}\n${SELF}\n`

  it('comes in parts of at most 250, in the order of the config, each socket with its own cookie', () =>
    use(async (daemon) => {
      const worker = await Asker.connect(daemon.control)
      const parts = await worker.parts('acquire', { name: 'many' })
      expect(parts.map(({ message: { part, parts } }) => [part, parts])).toEqual([
        [1, 2],
        [2, 2],
      ])
      expect(parts.map(({ fds }) => fds.length)).toEqual([250, 50])
      const sockets = parts.flatMap(({ message }) => message['sockets'] as { address: string; cookie: string }[])
      expect(sockets.map(({ address }) => address)).toEqual(listen)
      const cookies = parts.flatMap(({ fds }) => fds.map((fd) => socketCookie(fd.fd)))
      expect(cookies).toEqual(sockets.map(({ cookie }) => cookie))
      expect(new Set(cookies).size).toBe(MANY)
      for (const { fds } of parts) closeAll(fds)
      const lease = parts[0]!.message['lease']
      const again = await worker.parts('sockets', { lease })
      expect(again.flatMap(({ fds }) => fds.map((fd) => socketCookie(fd.fd)))).toEqual(cookies)
      for (const { fds } of again) closeAll(fds)
      worker.close()
    }, MANY_SOCKETS))

  it('gives each descriptor to the entry of its place, whatever the types', () =>
    use(async (daemon) => {
      const worker = await Asker.connect(daemon.control)
      const { message, fds } = await worker.received('acquire', { name: 'mixed' })
      const sockets = message['sockets'] as { type: string; cookie: string }[]
      expect(sockets.map(({ type }) => type)).toEqual(['tcp', 'udp', 'unix', 'tcp'])
      expect(fds.map((fd) => socketCookie(fd.fd))).toEqual(sockets.map(({ cookie }) => cookie))
      closeAll(fds)
      worker.close()
    }, `[sockets.mixed]\nlisten = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "unix://{dir}/mixed.sock", "tcp://[::1]:0"]\n${SELF}\n`))
})
