// What a holder bends while the broker is not there to see it: the broker that comes next knows what the socket is to be like.

import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { Attacker } from '../support/attacker.ts'
import { type Daemon, exitOf, IS_ROOT, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { brokerPid, killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'

forbidLeaks()
endPythons()

const ROWS = [
  {
    what: 'SO_RCVTIMEO',
    type: 'tcp',
    attack: "opt(SOL, 20, struct.pack('ll', 0, 1000))",
    look: 'held.getsockopt(SOL, 20, 16).hex()',
  },
  { what: 'SO_REUSEADDR', type: 'udp', attack: 'opt(SOL, 2, 1)', look: 'held.getsockopt(SOL, 2)' },
  { what: 'O_NONBLOCK', type: 'tcp', attack: 'held.setblocking(False)', look: 'os.get_blocking(held.fileno())' },
  { what: 'connect', type: 'udp', attack: "held.connect(('127.0.0.1', 9))", look: 'peer()' },
]

const tables = ROWS.flatMap(({ type }, at) =>
  [true, false].map(
    (guard) =>
      `[sockets.${guard ? 'guarded' : 'open'}${at}]\nlisten = "${type}://127.0.0.1:0"\nallow = ["any"]\nnon_blocking = false\nguard = ${guard}\n`,
  ),
)

function statesOf(pid: number): string[] {
  const tasks = readdirSync(`/proc/${pid}/task`)
  return tasks.map((task) => readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8').split(') ')[1]![0]!)
}

/** While the broker is stopped, and will never go on. */
async function inGap(daemon: Daemon, act: () => Promise<void>): Promise<void> {
  const broker = await brokerPid(daemon)
  process.kill(broker, 'SIGSTOP')
  // The signal stops one thread after the other; the one that listens again is the last to be late.
  await until(() => statesOf(broker).every((state) => state === 'T'), 'every thread is stopped')
  await act()
  process.kill(broker, 'SIGKILL')
  await until(async () => (await brokerPid(daemon).catch(() => broker)) !== broker, 'another broker')
}

describe.runIf(IS_ROOT)('a socket that is bent between two brokers (needs root, to be another user)', () => {
  it('is as it was before: not as the next broker found it, which is how it stays without the guard', async () => {
    const daemon = await startKept({ sockets: tables.join('') })
    const names = ROWS.flatMap((_, at) => [`guarded${at}`, `open${at}`])
    const attacker = await Attacker.hold(daemon.control, names)
    const look = (name: string) => attacker.value(ROWS[Number(name.at(-1))]!.look, name)
    const before = new Map<string, string>()
    for (const name of names) before.set(name, await look(name))

    await inGap(daemon, async () => {
      for (const name of names) expect(await attacker.run(ROWS[Number(name.at(-1))]!.attack, name)).toBe('done')
    })

    const told = () => daemon.logs().filter(({ msg }) => String(msg).endsWith(': repaired'))
    await until(() => told().length >= ROWS.length, 'all repairs')
    for (const [at, { what }] of ROWS.entries()) {
      expect(await look(`guarded${at}`), what).toBe(before.get(`guarded${at}`))
      const [line] = told().filter(({ name }) => name === `guarded${at}`)
      expect(line, what).toMatchObject({ what: expect.arrayContaining([what]), suspects: [{ pid: attacker.pid }] })
      expect(await look(`open${at}`), what).not.toBe(before.get(`open${at}`))
    }
    await attacker.end()
    await stopCleanly(daemon)
  })
  it('and was taken back from a holder is replaced where it was shut, though nobody has kept what it was like', async () => {
    const listen = (name: string) => `listen = "unix://{dir}/${name}.sock"\nallow = ["any"]`
    const sockets = `[sockets.web]\n${listen('web')}\n[sockets.open]\n${listen('open')}\nguard = false\n`
    const first = await startDaemon({ sockets })
    const attacker = await Attacker.hold(first.control, ['web', 'open'])
    first.process.kill('SIGKILL')
    await exitOf(first)
    for (const name of ['web', 'open']) expect(await attacker.run('held.shutdown(socket.SHUT_RDWR)', name)).toBe('done')
    const next = await startDaemon({ sockets, directory: first.directory })
    const connect = (name: string) =>
      attacker.run(`socket.socket(socket.AF_UNIX).connect('${next.directory}/${name}.sock')`)
    await until(async () => (await connect('web')) === 'done', 'it is replaced')
    expect(await connect('open')).toBe('ECONNREFUSED')
    await attacker.end()
    await stopCleanly(next)
  })
  it('is shown as repaired by the next broker too, for as long as by the one that repaired it', async () => {
    const daemon = await startKept({ sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n` })
    const attacker = await Attacker.hold(daemon.control, ['web'])
    expect(await attacker.run('held.shutdown(socket.SHUT_RDWR)')).toBe('done')
    const listed = async () => {
      const viewer = await Asker.connect(daemon.control)
      const [web] = (await viewer.ask('list'))['sockets'] as { state: string; repairedAt?: number }[]
      viewer.close()
      return { state: web!.state, at: web!.repairedAt }
    }
    await until(async () => (await listed()).state === 'repaired', 'it is repaired')
    const before = await listed()
    await killBroker(daemon)
    expect(await listed()).toEqual(before)
    await attacker.end()
    await stopCleanly(daemon)
  })
  it('does not keep the next broker from starting: shut, and without what lets it listen beside its anchor', async () => {
    const daemon = await startKept({ sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n` })
    const attacker = await Attacker.hold(daemon.control, ['web'])
    const listens = () => attacker.value('held.getsockopt(SOL, 30), held.getsockopt(SOL, 15)')
    await inGap(daemon, async () => {
      expect(await attacker.run('held.shutdown(socket.SHUT_RDWR); opt(SOL, 15, 0)')).toBe('done')
      expect(await listens()).toBe('0 0')
      expect(await attacker.run('held.listen(5)')).toBe('EADDRINUSE')
    })
    expect(await listens()).toBe('1 1')
    await attacker.end()
    await stopCleanly(daemon)
  })
})
