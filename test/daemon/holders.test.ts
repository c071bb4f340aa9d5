import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { OwnedFd } from '../../src/sys/owned-fd.ts'
import { Asker, closeAll } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { CLI, type Daemon, IS_ROOT, NOBODY, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { run, start } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const table = (name: string) => `[sockets.${name}]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n`
const SOCKETS = table('web') + table('api')

interface View {
  lease: number | null
  name: string
  pid: number
  state: string
  inheritedFrom?: number
  command: string
}

async function views(daemon: Daemon, ...args: string[]): Promise<View[]> {
  const { stdout, stderr } = await run(daemon, [CLI, 'holders', ...args, '--json'], { file: process.execPath })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout).holders
}

/** Ends a process that a program of the test left behind. */
function endAlso(pid: number): void {
  atEnd(() => {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  })
}

describe('holders', () => {
  /** The states of the holders of `api` in each of so many answers, while `turn` is done over and over. */
  async function statesDuring(rounds: number, turn: (churner: Asker) => Promise<void>): Promise<string[][]> {
    const daemon = await startDaemon({ sockets: `${table('web')}max_holders = 2000\n${table('api')}` })
    const [crowd, churner, viewer] = [
      await Asker.connect(daemon.control),
      await Asker.connect(daemon.control),
      await Asker.connect(daemon.control),
    ]
    // So many that a view of them takes several turns of the broker's loop.
    for (let count = 0; count < 1500; count++) await crowd.lease('web')
    await turn(churner)
    let over = false
    const churning = (async () => {
      while (!over) await turn(churner)
    })()
    const answers: string[][] = []
    for (let round = 0; round < rounds; round++) {
      const parts = await viewer.parts('holders')
      const views = parts.flatMap((part) => part.message['holders'] as View[]).filter(({ name }) => name === 'api')
      answers.push([...new Set(views.map(({ state }) => state))])
    }
    over = true
    await churning
    for (const asker of [crowd, churner, viewer]) asker.close()
    return answers
  }

  it('takes nobody for undeclared who takes the next lease before he gives the last one back', async () => {
    let [lease, kept]: [unknown, readonly OwnedFd[]] = [undefined, []]
    const states = await statesDuring(20, async (churner) => {
      const { message, fds } = await churner.received('acquire', { name: 'api' })
      if (lease !== undefined) await churner.ask('release', { lease })
      closeAll(kept)
      ;[lease, kept] = [message['lease'], fds]
    })
    closeAll(kept)
    expect(states).toEqual(states.map(() => ['granted']))
  })

  it('takes nobody for undeclared who has had a lease only between the beginning of the look and its end', async () => {
    const states = await statesDuring(50, async (churner) => {
      const { message, fds } = await churner.received('acquire', { name: 'api' })
      await sleep(3)
      closeAll(fds)
      await churner.ask('release', { lease: message['lease'] })
      await sleep(3)
    })
    expect(states.flat()).toContain('granted')
    expect(states.flat()).not.toContain('undeclared')
  })

  it('shows a child that inherited the socket as undeclared, with the lease that it has it from, as long as it runs', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const program = start(daemon, ['exec', 'web', '--', 'sh', '-c', 'sleep 60 & echo $!; wait'])
    await until(() => program.stdout().includes('\n'), 'the child runs')
    const child = Number(program.stdout())
    endAlso(child)
    await until(() => readFileSync(`/proc/${child}/cmdline`, 'utf8').startsWith('sleep'), 'it is what it is to be')

    const [lease, copy, ...others] = await views(daemon)
    expect(lease).toMatchObject({ name: 'web', pid: program.pid, state: 'granted' })
    const expected = { lease: null, name: 'web', pid: child, state: 'undeclared', generation: null, since: null }
    expect(copy).toMatchObject({
      ...expected,
      inheritedFrom: lease!.lease,
      command: 'sleep 60',
      uid: process.getuid!(),
    })
    expect(others).toEqual([])
    expect(await views(daemon, 'api')).toEqual([])
    const { stdout } = await run(daemon, [CLI, 'holders', '--state', 'undeclared'], { file: process.execPath })
    expect(stdout.split('\n')[1]).toMatch(
      new RegExp(`^ +-  web  +${child}  .+  -  +undeclared \\(from ${lease!.lease}\\) +-$`),
    )

    process.kill(child, 'SIGKILL')
    await program.exit()
    await until(async () => (await views(daemon)).length === 0, 'both have gone')
    await stopCleanly(daemon)
  })

  it('shows what a holder kept when it gave its lease back, and not the broker, nor who has a lease', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const asker = await Asker.connect(daemon.control)
    const { message, fds } = await asker.received('acquire', { name: 'api' })
    expect(await views(daemon)).toMatchObject([{ lease: message['lease'], pid: process.pid }])
    await asker.ask('release', { lease: message['lease'] })
    const [copy, ...others] = await views(daemon)
    expect(copy).toMatchObject({ lease: null, name: 'api', pid: process.pid, state: 'undeclared' })
    expect(copy).not.toHaveProperty('inheritedFrom')
    expect(others).toEqual([])
    expect((await asker.ask('holders', { undeclared: false }))['holders']).toEqual([])
    closeAll(fds)
    expect(await views(daemon)).toEqual([])
    asker.close()
    await stopCleanly(daemon)
  })

  it('finds a copy under a high descriptor of a process that has many', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const leak = `
import os, resource, time
if os.fork() == 0:
    resource.setrlimit(resource.RLIMIT_NOFILE, (3000, 3000))
    for n in range(2000): os.open('/dev/null', os.O_RDONLY)
    os.dup2(3, 2500)
    os.close(3)
    print(os.getpid(), flush=True)
time.sleep(60)`
    const program = start(daemon, ['exec', 'web', '--', 'python3', '-c', leak])
    await until(() => program.stdout().includes('\n'), 'the child runs')
    const child = Number(program.stdout())
    endAlso(child)
    expect((await views(daemon, '--state', 'undeclared')).map(({ pid }) => pid)).toContain(child)
    process.kill(child, 'SIGKILL')
    program.kill('SIGTERM')
    await program.exit()
  })

  describe.runIf(IS_ROOT)('by the rights of the shipped unit (needs root)', () => {
    const own = /^CapabilityBoundingSet=(.*)$/m.exec(readFileSync('deploy/fd-broker.service', 'utf8'))![1]!
    const names = (capabilities: string) => capabilities.toLowerCase().replaceAll('cap_', '+').split(' ')
    const limited = (capabilities: string) => [
      'setpriv',
      `--bounding-set=${['-all', ...names(capabilities)].join(',')}`,
    ]
    const BOTH = ' CAP_SYS_PTRACE CAP_DAC_READ_SEARCH'

    /** A process of another user that keeps a socket without a lease. */
    async function leak(daemon: Daemon): Promise<number> {
      const script = 'import os, sys, time\nif os.fork() == 0: print(os.getpid(), flush=True)\ntime.sleep(60)'
      const program = start(daemon, ['exec', 'web', '--', 'python3', '-c', script], { uid: NOBODY })
      await until(() => program.stdout().includes('\n'), 'the child runs')
      const child = Number(program.stdout())
      endAlso(child)
      return child
    }

    it.each([
      ['CAP_SYS_PTRACE', ' CAP_DAC_READ_SEARCH'],
      ['CAP_DAC_READ_SEARCH', ' CAP_SYS_PTRACE'],
      ['both', ''],
    ])('says without %s how many processes it could not look into, and doctor notes it', async (_, more) => {
      const daemon = await startDaemon({ sockets: SOCKETS, through: limited(own + more) })
      const child = await leak(daemon)
      const { exit, stdout, stderr } = await run(daemon, [CLI, 'holders', '--json'], { file: process.execPath })
      const { holders, unseen } = JSON.parse(stdout) as { holders: View[]; unseen: number }
      expect([exit, holders.map(({ state }) => state)]).toEqual([0, ['granted']])
      expect(unseen).toBeGreaterThanOrEqual(2)
      expect(unseen).toBeLessThanOrEqual(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).length)
      expect(stderr).toMatch(/^fd-broker: \d+ processes could not be looked into.*CAP_DAC_READ_SEARCH.*\n$/)
      const doctor = await run(daemon, [CLI, 'doctor', '--json'], { file: process.execPath })
      const { findings } = JSON.parse(doctor.stdout) as { findings: { check: string; level: string }[] }
      expect(findings).toContainEqual(expect.objectContaining({ check: 'undeclared copies', level: 'note' }))
      process.kill(child, 'SIGKILL')
    })

    it('sees every copy with both, and says nothing', async () => {
      const daemon = await startDaemon({ sockets: SOCKETS, through: limited(own + BOTH) })
      const child = await leak(daemon)
      const { stdout, stderr } = await run(daemon, [CLI, 'holders', '--json'], { file: process.execPath })
      const { holders, unseen } = JSON.parse(stdout) as { holders: View[]; unseen?: number }
      expect(holders.map(({ pid, state }) => [pid, state])).toContainEqual([child, 'undeclared'])
      expect([unseen, stderr]).toEqual([undefined, ''])
      process.kill(child, 'SIGKILL')
    })
  })

  it('answers acquires while it looks through hundreds of processes', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const crowd = Array.from({ length: 300 }, () => spawn('sleep', ['60'], { stdio: 'ignore' }))
    const gone = crowd.map((child) => new Promise((resolve) => child.once('close', resolve)))
    atEnd(async () => {
      for (const child of crowd) child.kill('SIGKILL')
      await Promise.all(gone)
    })
    const viewer = await Asker.connect(daemon.control)
    const worker = await Asker.connect(daemon.control)
    // It is to find both at once: the look might be over before the second is sent.
    process.kill(daemon.pid, 'SIGSTOP')
    viewer.send('holders')
    const granted = worker.lease('web')
    process.kill(daemon.pid, 'SIGCONT')
    const lease = await granted
    expect(viewer.client.received).toEqual([])
    const { holders } = await viewer.next()
    expect(holders).toMatchObject([{ lease }])
    viewer.close()
    worker.close()
    await stopCleanly(daemon)
  })

  it('looks through the processes a few times for hundreds that ask at once, whether they stay or leave', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const viewer = await Asker.connect(daemon.control)
    const lease = await viewer.lease('web')
    const used = await cpuTime(daemon.pid, async () => {
      for (let n = 0; n < 25; n++) await viewer.ask('holders')
    })
    for (const stays of [true, false]) {
      const flooder = await Asker.connect(daemon.control)
      const { received } = flooder.client
      const usedByFlood = await cpuTime(daemon.pid, async () => {
        for (let n = 0; n < 500; n++) flooder.send('holders', n % 2 ? { name: 'web' } : {})
        if (stays) await until(() => received.length === 500, 'all of them are answered')
        else flooder.close()
        expect((await viewer.ask('holders'))['holders']).toMatchObject([{ lease }])
      })
      expect(usedByFlood).toBeLessThan((used * (500 / 25)) / 2)
      for (const { message } of received) expect(message).toMatchObject({ ok: true, holders: [{ lease }] })
      flooder.close()
    }
    viewer.close()
    await stopCleanly(daemon)
  })
})

/** Nanoseconds that all threads of a process spend meanwhile. */
async function cpuTime(pid: number, act: () => Promise<void>): Promise<number> {
  const spent = () =>
    readdirSync(`/proc/${pid}/task`)
      .map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]))
      .reduce((sum, each) => sum + each, 0)
  const before = spent()
  await act()
  return spent() - before
}
