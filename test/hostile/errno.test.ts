import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { type Daemon, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { report, times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'

/** May strace attach and inject? Not without ptrace, nor before strace 4.16. */
const canInject = (() => {
  try {
    execFileSync('strace', ['-e', 'inject=getppid:error=EAGAIN', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})()

/** Where the broker may be refused while it serves. */
const SITES: [call: string, error: string][] = [
  ...['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EAGAIN', 'EINTR', 'ECONNABORTED'].map((error): [string, string] => [
    'accept4',
    error,
  ]),
  ...['ENOBUFS', 'ENOMEM', 'ETOOMANYREFS', 'EAGAIN', 'EINTR'].map((error): [string, string] => ['sendmsg', error]),
  ...['EAGAIN', 'EINTR'].map((error): [string, string] => ['recvmsg', error]),
  ...['EINTR'].map((error): [string, string] => ['?epoll_wait,epoll_pwait', error]),
  ...['EINTR', 'ENOMEM'].map((error): [string, string] => ['?poll,?ppoll', error]),
]

/** For each request or connection. */
const ALWAYS_CALLED: ReadonlySet<string> = new Set(['accept4', 'sendmsg', 'recvmsg', '?poll,?ppoll'])

/** Makes every second of these calls fail while `act` runs; answers also how many did. */
async function injecting<T>(daemon: Daemon, call: string, error: string, act: () => Promise<T>): Promise<[T, number]> {
  const { pid, directory } = daemon
  const trace = join(directory, 'trace')
  const args = [
    '-f',
    '-q',
    '-p',
    String(pid),
    '-o',
    trace,
    '-e',
    `trace=${call}`,
    '-e',
    `inject=${call}:error=${error}:when=1+2`,
  ]
  const fate = () => {
    const { exitCode, signalCode } = daemon.process
    return `${call} ${error}; the broker's end: ${signalCode ?? exitCode}; it said last: ${JSON.stringify(daemon.logs().slice(-5))}`
  }
  const tracer = spawn('strace', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  tracer.stderr.on('data', (chunk) => {
    said += chunk
  })
  const ended = new Promise((resolve) => tracer.once('close', resolve))
  try {
    const tasks = () =>
      readdirSync(`/proc/${pid}/task`).map((task) => readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'))
    await until(() => said !== '' || tasks().every((status) => !/^TracerPid:\s+0$/m.test(status)), 'strace is attached')
    // And has stopped each once, from when on it sees all.
    await sleep(300)
    expect(said).not.toMatch(/invalid|not permitted/i)
    const result = await act()
    tracer.kill('SIGINT')
    await ended
    // It would end of what strace leaves to it.
    await sleep(20)
    return [result, readFileSync(trace, 'utf8').split('(INJECTED)').length - 1]
  } catch (cause) {
    await sleep(100)
    throw new Error(fate(), { cause })
  } finally {
    tracer.kill('SIGINT')
    await ended
  }
}

it.runIf(canInject)(
  'no system call that fails now and then ends the broker, or costs a peer that it serves its connection (needs strace and ptrace)',
  { timeout: 180_000 },
  async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const holder = await Asker.connect(daemon.control)
    const lease = await holder.lease('web', { ready: true })
    const rounds = times(10, 60)
    for (const [call, error] of SITES) {
      const [served, failed] = await injecting(daemon, call, error, async () => {
        let count = 0
        for (let round = 0; round < rounds; round++) {
          expect(await holder.ask('sockets', { lease })).toMatchObject({ ok: true })
          expect(await holder.ask('list')).toMatchObject({ ok: true })
          // One that connects while the broker has no descriptor or memory for it may be shed.
          const late = await Asker.connect(daemon.control).catch(() => undefined)
          if (late === undefined) continue
          const given = await late.ask('acquire', { name: 'web' })
          if (given['ok'] === true) count++
          expect(given['code'], 'a living peer is not taken for a dead one').not.toBe('DENIED')
          late.close()
        }
        return count
      })
      const { exitCode, signalCode } = daemon.process
      expect([call, error, exitCode, signalCode, holder.client.closed]).toEqual([call, error, null, null, false])
      if (ALWAYS_CALLED.has(call)) expect(failed).toBeGreaterThan(rounds / 4)
      report(`errno: ${call} ${error}`, { failed, served: `${served}/${rounds}` })
    }
    const after = await Asker.connect(daemon.control)
    expect(await after.ask('list')).toMatchObject({ ok: true })
    after.close()
    await until(
      async () =>
        ((await holder.ask('holders')).holders as { lease: number | null }[]).filter((one) => one.lease !== null)
          .length === 1,
      'only its own lease is left',
    )
    holder.close()
    await stopCleanly(daemon)
  },
)
