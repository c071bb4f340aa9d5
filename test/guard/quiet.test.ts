// What the guard must not do: take a worker's start for an attack, or wake for what workers accept.

import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Asker, type Message } from '../support/asker.ts'
import { Attacker } from '../support/attacker.ts'
import { runBench } from '../support/bench.ts'
import { type Daemon, IS_ROOT, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'

forbidLeaks()
endPythons()

const has = (program: string) =>
  spawnSync(program, ['--version']).status === 0 || spawnSync(program, ['-v']).status === 0

it.runIf(has('nginx') && has('gunicorn'))(
  'starts of Node, gunicorn and nginx are no attack: 0 repairs (needs nginx and gunicorn)',
  async () => {
    expect(await runBench('guard/starts.mjs', ['1'])).toMatchObject({ node: 0, gunicorn: 0, nginx: 0 })
  },
  90_000,
)

it.runIf(has('nginx') && has('gunicorn'))(
  'nor is what honest workers of every kind of socket do as they start, take over, stop and are killed under load (needs nginx and gunicorn)',
  async () => {
    const figures = await runBench<Record<string, number>>('guard/calm.mjs', ['--minutes', '0.2', '--seed', '7'])
    expect(figures).toMatchObject({ repairs: 0 })
    expect(figures['takeovers']! + figures['starts']!).toBeGreaterThan(7)
    expect(figures['asked']).toBeGreaterThan(figures['failed']! * 10)
  },
  90_000,
)

/** How often threads of the broker went to sleep, and so were woken. */
function sleeps({ pid }: Daemon): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const counts = threads.map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)![1])
  })
  return counts.reduce((sum, count) => sum + count, 0)
}

it('nor is a descriptor table that is full, for want of which not all of a socket can be read', async () => {
  const daemon = await startDaemon({
    sockets: `[sockets.web]\nlisten = ["unix://{dir}/web.sock", "tcp://127.0.0.1:0"]\nallow = ["any"]\n`,
  })
  const viewer = await Asker.connect(daemon.control)
  const cookies = async () => {
    const [web] = (await viewer.ask('list'))['sockets'] as { sockets: Message[] }[]
    return web!.sockets.map(({ cookie }) => cookie)
  }
  const before = await cookies()
  const numbers = readdirSync(`/proc/${daemon.pid}/fd`).map(Number)
  const free = numbers.findIndex((_, at) => !numbers.includes(at))
  execFileSync('prlimit', ['--pid', String(daemon.pid), `--nofile=${free < 0 ? numbers.length : free}`])
  await until(() => daemon.logs().some(({ msg }) => msg === 'the guard cannot look at a socket'), 'it is noticed')
  await sleep(2200)
  expect(await cookies()).toEqual(before)
  expect(daemon.logs().filter(({ msg }) => /: repaired$|^lost/.test(String(msg)))).toEqual([])
  viewer.close()
  await stopCleanly(daemon)
})

describe.runIf(IS_ROOT)('a broker whose worker accepts (needs root, to be another user)', () => {
  it('is not woken by 300 connections', async () => {
    const CONNECTIONS = 300
    const daemon = await startDaemon({ sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n` })
    const worker = await Attacker.hold(daemon.control, ['web'])
    const viewer = await Asker.connect(daemon.control)
    const list = (await viewer.ask('list'))['sockets'] as { sockets: Message[] }[]
    const port = Number(String(list[0]!.sockets[0]!['address']).split(':').at(-1))
    const before = sleeps(daemon)
    const served = worker.run(`[held.accept()[0].close() for _ in range(${CONNECTIONS})]`)
    for (let at = 0; at < CONNECTIONS; at++) {
      await new Promise<void>((resolve) => {
        const client = net.connect(port, '127.0.0.1').on('error', () => {})
        client.resume().once('close', () => resolve())
      })
    }
    expect(await served).toBe('done')
    expect(sleeps(daemon) - before).toBeLessThan(CONNECTIONS / 2)
    viewer.close()
  })
})
