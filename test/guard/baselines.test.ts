// What a socket is to be like does not come from a holder: neither where the guard was off, nor where no broker was there to see it.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Asker, type Message } from '../support/asker.ts'
import { Attacker } from '../support/attacker.ts'
import { type Daemon, exitOf, IS_ROOT, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { rewrite } from '../support/reloading.ts'

forbidLeaks()
endPythons()

const ROWS = [
  { name: 'defer', type: 'tcp', what: 'TCP_DEFER_ACCEPT', attack: 'opt(TCP, 9, 60)', look: 'held.getsockopt(TCP, 9)' },
  { name: 'minttl', type: 'tcp', what: 'IP_MINTTL', attack: 'opt(IP, 21, 255)', look: 'held.getsockopt(IP, 21)' },
  { name: 'reuse', type: 'udp', what: 'SO_REUSEADDR', attack: 'opt(SOL, 2, 1)', look: 'held.getsockopt(SOL, 2)' },
  { name: 'peer', type: 'udp', what: 'connect', attack: "held.connect(('127.0.0.1', 9))", look: 'peer()' },
  {
    name: 'shut',
    type: 'tcp',
    what: 'shutdown',
    attack: 'held.shutdown(socket.SHUT_RDWR)',
    look: 'held.getsockopt(SOL, 30)',
  },
]
/** What opening a kept socket, or taking it back, sets by itself. */
const BACKLOG = 'struct.unpack_from("I", held.getsockopt(TCP, 11, 64), 28)[0]'
const NAMES = [...ROWS.map(({ name }) => name), 'queue', 'clamp', 'event']

const tables = (guard: boolean, ofTcp = '') =>
  NAMES.map((name) => {
    const type = ROWS.find((row) => row.name === name)?.type ?? 'tcp'
    const tcp = type === 'tcp' ? `backlog = 16\n${ofTcp}` : ''
    return `[sockets.${name}]\nlisten = "${type}://127.0.0.1:0"\nallow = ["any"]\nguard = ${guard}\n${tcp}`
  }).join('')

const repairs = (daemon: Daemon) => daemon.logs().filter(({ msg }) => String(msg).endsWith(': repaired'))

async function cookieOf(viewer: Asker, name: string): Promise<unknown> {
  const names = (await viewer.ask('list'))['sockets'] as Message[]
  return (names.find((one) => one['name'] === name)!['sockets'] as Message[])[0]!['cookie']
}

/** How each was before. */
async function bendAll(attacker: Attacker, rows = ROWS): Promise<Map<string, string>> {
  const before = new Map<string, string>()
  for (const { name, look, attack } of rows) {
    before.set(name, await attacker.value(look, name))
    expect(await attacker.run(attack, name)).toBe('done')
    expect(await attacker.value(look, name), name).not.toBe(before.get(name))
  }
  expect(await attacker.run('held.listen(1)', 'queue')).toBe('done')
  expect(await attacker.run('opt(TCP, socket.TCP_WINDOW_CLAMP, 1000)', 'clamp')).toBe('done')
  expect(await attacker.run('held.setblocking(False)', 'event')).toBe('done')
  return before
}

async function expectUnbent(daemon: Daemon, attacker: Attacker, before: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, value] of before) {
    const { look } = ROWS.find((row) => row.name === name)!
    await until(async () => (await attacker.value(look, name)) === value, `${name} is set back`)
  }
  await until(() => repairs(daemon).some(({ name }) => name === 'clamp'), 'another socket')
  expect(repairs(daemon).find(({ name }) => name === 'clamp')).toMatchObject({ replaced: true })
  expect(await attacker.value(BACKLOG, 'queue')).toBe('16')
  // Whoever relies on it serves still.
  expect(await attacker.value('os.get_blocking(held.fileno())', 'event')).toBe('False')
}

describe.runIf(IS_ROOT)('a socket that was bent while no guard looked (needs root, to be another user)', () => {
  it('is as configured once the guard is on, and nothing of it counts as how it is to be', async () => {
    const daemon = await startDaemon({ sockets: tables(false) })
    const attacker = await Attacker.hold(daemon.control, NAMES)
    const viewer = await Asker.connect(daemon.control)
    await sleep(1300)
    const before = await bendAll(attacker)
    const cookie = await cookieOf(viewer, 'shut')
    rewrite(daemon, tables(true))
    expect(await viewer.ask('reload')).toMatchObject({ ok: true })
    await expectUnbent(daemon, attacker, before)
    await until(() => repairs(daemon).length >= ROWS.length + 1, 'all are told of')
    for (const { name, what } of ROWS) {
      expect(repairs(daemon).filter((line) => line['name'] === name)).toMatchObject([{ what: [what] }])
      expect(repairs(daemon).find((line) => line['name'] === name)).not.toHaveProperty('replaced')
    }
    expect(await cookieOf(viewer, 'shut')).toBe(cookie)

    // A holder that undoes what it did is not set back to that.
    rewrite(daemon, tables(true, 'keep_alive = true\n'))
    expect(await viewer.ask('reload')).toMatchObject({ ok: true })
    const told = repairs(daemon).length
    await attacker.run('opt(TCP, 9, 0)', 'defer')
    await sleep(2200)
    expect(repairs(daemon).slice(told)).toEqual([])
    expect(await attacker.value('held.getsockopt(SOL, socket.SO_KEEPALIVE)', 'defer')).toBe('1')
    expect(await attacker.value('os.get_blocking(held.fileno())', 'event')).toBe('False')
    viewer.close()
    await attacker.end()
    await stopCleanly(daemon)
  })

  it('is as configured once it was taken back from a holder, when nobody has kept what it was like', async () => {
    const first = await startDaemon({ sockets: tables(true) })
    const attacker = await Attacker.hold(first.control, NAMES)
    first.process.kill('SIGKILL')
    await exitOf(first)
    // One that is shut is in no list of the kernel's, and cannot be found again.
    const found = ROWS.filter(({ name }) => name !== 'shut')
    const before = await bendAll(attacker, found)
    const next = await startDaemon({ sockets: tables(true), directory: first.directory })
    await expectUnbent(next, attacker, before)
    for (const { name, what } of found)
      await until(
        () => repairs(next).some((line) => line['name'] === name && `${line['what']}` === what),
        `${name} is told of`,
      )
    await attacker.end()
    await stopCleanly(next)
  })
})
