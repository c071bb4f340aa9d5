import { execFileSync, spawn } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, IS_ROOT, NOBODY, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { RawClient } from '../support/raw-client.ts'
import { type Attempt, askSteadily, privilegedPort } from '../support/steady-client.ts'
import { copyClient } from '../support/worker.ts'

forbidLeaks()
endPythons()

interface Holder {
  pid: number
  uid: number
  user: string
  state: string
}

/** A worker of another user in a session of its own, whose parent has ended: nothing relates it to the broker or the test. */
function startUnrelated(daemon: Daemon, client: string): void {
  const line = 'setsid python3 -B "$1/fdbroker.py" "$2" acquire web --serve >/dev/null 2>&1 &'
  const child = spawn('sh', ['-c', line, 'sh', client, daemon.control], {
    uid: NOBODY,
    gid: NOBODY,
    cwd: '/',
    stdio: 'ignore',
  })
  child.unref()
}

async function holders(viewer: RawClient, id: number): Promise<Holder[]> {
  return (await viewer.ask(id, 'holders')).message['holders'] as Holder[]
}

/** The next holder that is ready; ended with the test. */
async function readyHolder(viewer: RawClient, not?: number): Promise<Holder> {
  let found: Holder | undefined
  let id = 100
  await until(async () => {
    found = (await holders(viewer, id++)).find(({ pid, state }) => pid !== not && state === 'ready')
    return found !== undefined
  }, 'a worker is ready')
  return found!
}

const outcome = ({ answer, error }: Attempt) => error ?? answer

describe.runIf(IS_ROOT)('a worker of another user on a privileged port that root bound (needs root)', () => {
  it('is killed and followed by another without one refused or lost request', { timeout: 60_000 }, async () => {
    const port = await privilegedPort()
    const daemon = await startDaemon({
      broker: 'viewers = ["user:root"]',
      sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:${port}"\nallow = ["user:${NOBODY}"]`,
    })
    const client = copyClient(daemon.directory)
    const viewer = new RawClient(daemon.control)
    await viewer.hello()
    const before = daemon.fds()

    startUnrelated(daemon, client)
    const first = await readyHolder(viewer)
    expect(first).toMatchObject({ uid: NOBODY, state: 'ready' })
    expect(parentOf(first.pid)).not.toBe(process.pid)
    expect(owners(port)).toEqual(expect.arrayContaining([daemon.pid, first.pid]))

    const stop = askSteadily(port, 2)
    atEnd(stop)
    await new Promise((resolve) => setTimeout(resolve, 400))
    const killed = performance.now()
    process.kill(first.pid, 'SIGKILL')
    await until(async () => (await holders(viewer, 50)).length === 0, 'the lease ended with its process')
    startUnrelated(daemon, client)
    const second = await readyHolder(viewer, first.pid)
    atEnd(() => ended(second.pid))
    await new Promise((resolve) => setTimeout(resolve, 600))
    const attempts = await stop()

    const after = attempts.filter(({ at }) => at >= killed)
    expect(after.length).toBeGreaterThan(20)
    expect(new Set(after.map(outcome))).toEqual(new Set([String(second.pid)]))
    expect(attempts.filter(({ error }) => error === 'ECONNREFUSED')).toEqual([])
    // It served one connection at a time, so it can have taken at most that one along.
    const lost = attempts.filter(({ at, error }) => at < killed && error !== undefined)
    expect(lost.length).toBeLessThanOrEqual(1)

    process.kill(second.pid, 'SIGKILL')
    await until(() => daemon.fds() === before, 'the broker has what it had before')
    viewer.close()
    await stopCleanly(daemon)
    expect(owners(port)).toEqual([])
  })
})

it('without a broker, requests are refused while the port has no server: what the broker is for', async () => {
  const first = startServer(0)
  const port = Number(await first.line())
  const stop = askSteadily(port, 2)
  atEnd(stop)
  await new Promise((resolve) => setTimeout(resolve, 200))
  const killed = performance.now()
  first.process.kill('SIGKILL')
  await first.exit()
  await startServer(port).line()
  await new Promise((resolve) => setTimeout(resolve, 200))
  const after = (await stop()).filter(({ at }) => at >= killed)
  expect(after.filter(({ error }) => error === 'ECONNREFUSED').length).toBeGreaterThan(0)
  expect(after.filter(({ answer }) => answer !== undefined).length).toBeGreaterThan(0)
})

/** The same server as the workers', on a socket that it binds itself. */
function startServer(port: number) {
  return startPython(
    `
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from serving import answer_one
listener = socket.create_server(('127.0.0.1', int(sys.argv[2])), backlog=4096)
say(listener.getsockname()[1])
while True: answer_one(listener)
`,
    [new URL('../python', import.meta.url).pathname, String(port)],
  )
}

/** The processes that have the listener of a port open, as ss shows them. */
function owners(port: number): number[] {
  const text = execFileSync('ss', ['-ltnpH', `sport = :${port}`], { encoding: 'utf8' })
  return [...text.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid))
}

function parentOf(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }))
}

function ended(pid: number): Promise<void> {
  const gone = () => {
    try {
      process.kill(pid, 'SIGKILL')
      return false
    } catch {
      return true
    }
  }
  return until(gone, 'the worker is gone')
}
