import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import {
  childrenOf,
  type Daemon,
  exitOf,
  launch,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  until,
  writeConfig,
} from '../support/daemon.ts'
import { brokerPid, killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks, openFds } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = `[sockets.web]\nlisten = "unix://{dir}/web.sock"\nallow = ["user:${process.getuid!()}"]`

/** To the config; its path. */
function addSocket({ config, directory }: Daemon, name: string): string {
  const path = join(directory, `${name}.sock`)
  appendFileSync(config, `\n[sockets.${name}]\nlisten = "unix://${path}"\nallow = ["any"]\n`)
  return path
}

const rssOf = (pid: number) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
/** The inode of the socket that listens at a path. */
const listenerOf = (path: string) =>
  new RegExp(`^\\S+ \\S+ \\S+ 00010000 \\S+ \\S+ +(\\d+) ${path}$`, 'm').exec(
    readFileSync('/proc/net/unix', 'utf8'),
  )![1]!
const nameOf = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
const alive = (pid: number) => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

describe('the keeper', () => {
  it('is the process that was started; the broker is its child, and the pid of hello', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    expect(nameOf(daemon.pid)).toBe('fd-broker-keepe')
    expect([await brokerPid(daemon)]).toEqual(childrenOf(daemon.pid))
    await stopCleanly(daemon)
  })

  it('takes less than 2 MB, and has no capability in effect but CAP_KILL', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    await killBroker(daemon)
    expect(rssOf(daemon.pid)).toBeLessThan(2048)
    const effective = /CapEff:\s+([0-9a-f]+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))![1]!
    expect(BigInt(`0x${effective}`) & ~(1n << 5n)).toBe(0n)
    await stopCleanly(daemon)
  })

  it('has each socket, the control socket and the lock open, and nothing that it was not given', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const sockets = [join(daemon.directory, 'web.sock'), daemon.control].map((path) => `socket:[${listenerOf(path)}]`)
    const others = ['/memfd:fd-broker-state (deleted)', `${daemon.control}.lock`, 'anon_inode:[signalfd]']
    const hasThem = () => {
      const open = [...openFds(daemon.pid)].flatMap(([fd, what]) => (fd > 2 ? [what] : []))
      // One more: the way to the broker.
      return open.length === 6 && [...sockets, ...others].every((each) => open.includes(each))
    }
    await until(hasThem, 'it has them')
    for (let times = 0; times < 3; times++) await killBroker(daemon)
    await until(hasThem, 'it has them again')
    await stopCleanly(daemon)
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'passes %s on once, and ends with the status of the broker',
    async (signal) => {
      const daemon = await startKept({ sockets: SOCKETS })
      const holder = await Asker.connect(daemon.control)
      const lease = await holder.lease('web', { ready: true })
      daemon.process.kill(signal)
      expect(await holder.next()).toMatchObject({ event: 'drain', lease, reason: 'shutdown' })
      expect(await holder.ask('release', { lease })).toMatchObject({ ok: true })
      expect(await exitOf(daemon)).toBe(0)
      expect(readdirSync(daemon.directory)).toEqual(['broker.toml'])
      holder.close()
    },
  )

  it('passes on a stop that comes while the broker starts', { timeout: 60_000 }, async () => {
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: SOCKETS })
    for (let wait = 0; wait < 200; wait += 20) {
      const daemon = launch(directory, config, { keeper: true })
      await until(() => nameOf(daemon.pid) === 'fd-broker-keepe', 'the keeper is there')
      await sleep(wait)
      daemon.process.kill('SIGTERM')
      // 143: there was no broker yet that could have heard of it; null: the keeper itself had only just begun.
      expect([0, 143, null]).toContain(await exitOf(daemon))
    }
  })

  it('passes a second stop on, which ends at once', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const holder = await Asker.connect(daemon.control)
    await holder.lease('web', { ready: true })
    daemon.process.kill('SIGTERM')
    expect(await holder.next()).toMatchObject({ event: 'drain' })
    expect(await daemon.stop('SIGTERM')).toBe(143)
    expect(readdirSync(daemon.directory)).toEqual(['broker.toml'])
    holder.close()
  })

  it('takes a stop that a service manager sends to both for one', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const holder = await Asker.connect(daemon.control)
    const lease = await holder.lease('web', { ready: true })
    const broker = await brokerPid(daemon)
    process.kill(broker, 'SIGTERM')
    daemon.process.kill('SIGTERM')
    expect(await holder.next()).toMatchObject({ event: 'drain' })
    await sleep(200)
    expect(alive(broker)).toBe(true)
    await holder.ask('release', { lease })
    expect(await exitOf(daemon)).toBe(0)
    holder.close()
  })

  it('passes SIGHUP on', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    daemon.process.kill('SIGHUP')
    await until(() => daemon.stderr().includes('SIGHUP') || daemon.stderr().includes('reload'), 'the broker hears it')
    expect(await brokerPid(daemon)).toBe(childrenOf(daemon.pid)[0])
    await stopCleanly(daemon)
  })

  it('backs off from the 5th death within 10 s, and starts a broker all the same', { timeout: 40_000 }, async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    for (let deaths = 1; deaths <= 4; deaths++) await killBroker(daemon)
    expect(daemon.stderr()).not.toContain('again and again')
    await killBroker(daemon)
    expect(daemon.stderr()).toContain('the broker dies again and again: the next start is in 250 ms')
    await killBroker(daemon)
    expect(daemon.stderr()).toContain('the next start is in 500 ms')
    await stopCleanly(daemon)
  })

  it('passes a SIGHUP that comes while no broker is there to the next one', { timeout: 40_000 }, async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    for (let deaths = 1; deaths <= 4; deaths++) await killBroker(daemon)
    process.kill(await brokerPid(daemon), 'SIGKILL')
    await until(() => daemon.stderr().includes('the next start is in 250 ms'), 'none is there')
    const path = addSocket(daemon, 'late')
    daemon.process.kill('SIGHUP')
    await until(() => existsSync(path), 'the next one has read the file')
    await stopCleanly(daemon)
  })

  it('passes a SIGHUP on that comes at any time of a start', { timeout: 60_000 }, async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    for (let wait = 0; wait < 240; wait += 30) {
      process.kill(await brokerPid(daemon), 'SIGKILL')
      await sleep(wait)
      const path = addSocket(daemon, `late${wait}`)
      daemon.process.kill('SIGHUP')
      await until(() => existsSync(path), `the file is read after ${wait} ms`)
    }
    await stopCleanly(daemon)
  })

  it('that dies alone leaves a broker that takes the lock and serves on', async () => {
    const daemon = await startKept({ sockets: SOCKETS })
    const broker = await brokerPid(daemon)
    const exited = exitOf(daemon)
    daemon.process.kill('SIGKILL')
    // Its standard error is the same, so that the log goes on.
    await until(() => daemon.logs().some(({ msg }) => String(msg).includes('the keeper has gone')), 'it says so')
    expect(await brokerPid(daemon)).toBe(broker)
    const second = launch(daemon.directory, daemon.config, { keeper: true })
    expect(await exitOf(second)).toBe(111)
    expect(second.logs().at(-1)!['msg']).toContain(`another broker (pid ${broker}) runs on`)
    process.kill(broker, 'SIGTERM')
    await until(() => !alive(broker), 'it ends')
    await exited
    expect(readdirSync(daemon.directory)).toEqual(['broker.toml'])
  })
})

describe('a second start', () => {
  it('says who runs, ends with 111, and harms nothing', async () => {
    const first = await startKept({ sockets: SOCKETS })
    const second = launch(first.directory, first.config, { keeper: true })
    expect(await exitOf(second)).toBe(111)
    const broker = await brokerPid(first)
    const message = `another broker (pid ${broker}) runs on ${first.control}, under its keeper (pid ${first.pid}): `
    expect(second.logs().at(-1)!['msg']).toContain(message)
    const again = launch(first.directory, first.config)
    expect(await exitOf(again)).toBe(111)
    expect(await brokerPid(first)).toBe(childrenOf(first.pid)[0])
    await stopCleanly(first)
  })

  it('is refused also in the moment when the broker is dead and the next one not yet there', async () => {
    const first = await startKept({ sockets: SOCKETS })
    for (let deaths = 1; deaths <= 5; deaths++) {
      if (deaths < 5) await killBroker(first)
      else process.kill(await brokerPid(first), 'SIGKILL')
    }
    const second = launch(first.directory, first.config)
    expect(await exitOf(second)).toBe(111)
    // By the time of the look at the lock the next one may be there.
    const how = `(, under its keeper \\(pid ${first.pid}\\)|, a keeper that is starting it): end it`
    expect(second.logs().at(-1)!['msg']).toMatch(new RegExp(`another broker \\(pid \\d+\\) runs on \\S+${how}`))
    await brokerPid(first)
    await stopCleanly(first)
  })
})

describe('a first start that fails', () => {
  it('ends with 100 for a faulty configuration', async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'broker.toml'), 'nonsense = 1\n')
    const daemon = launch(directory, join(directory, 'broker.toml'), { keeper: true })
    expect(await exitOf(daemon)).toBe(100)
    expect(daemon.stderr()).toContain('nonsense')
  })

  it('ends with 111 for an address that is in use', async () => {
    const first = await startDaemon({ sockets: SOCKETS })
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: SOCKETS.replace('{dir}', first.directory) })
    const daemon = launch(directory, config, { keeper: true })
    expect(await exitOf(daemon)).toBe(111)
    expect(readdirSync(directory)).toEqual(['broker.toml'])
    expect(statSync(join(first.directory, 'web.sock')).isSocket()).toBe(true)
    await stopCleanly(first)
  })
})
