import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { release } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { addon } from '../../src/sys/addon.ts'
import { ExitSet } from '../../src/sys/exit-set.ts'
import { isKilled, KillWatch } from '../../src/sys/kill-watch.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { ProcessWatch } from '../../src/sys/pidfd.ts'
import { atEnd } from '../support/cleanup.ts'
import { endPythons, startPython } from '../support/python.ts'

endPythons()

const [major, minor] = release().split('.').map(Number)
/** PIDFD_THREAD. */
const watchesThreads = major! > 6 || (major === 6 && minor! >= 9)

/** A Node.js process with so much memory that its end takes the kernel a while; `program` runs when told to by SIGUSR2. */
async function startNode(program = ''): Promise<{ child: ChildProcess; pid: number; told: string[] }> {
  const script = `const memory = Buffer.alloc(256 << 20, 1)
    process.on('SIGUSR2', async () => { ${program} })
    setInterval(() => memory, 1e6)
    console.log('started')`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  atEnd(() => void child.kill('SIGKILL'))
  await once(child.stdout!, 'data')
  const pid = child.pid!
  const told: string[] = []
  const set = new ExitSet()
  const exits = new ProcessWatch(new OwnedFd(addon.pidfdOpen(pid)), set, () => told.push('ended'))
  const kills = new KillWatch(pid, () => told.push('killed'))
  atEnd(() => set.close())
  atEnd(() => exits.close())
  atEnd(() => kills.close())
  return { child, pid, told }
}

const ended = async (told: string[]) => {
  while (!told.includes('ended')) await sleep(5)
}

it.runIf(watchesThreads)('tells of a kill before the kernel has ended the process (Linux 6.9)', async () => {
  const { child, told } = await startNode()
  child.kill('SIGKILL')
  await ended(told)
  expect(told).toEqual(['killed', 'ended'])
})

it('does not take the end of a thread for the end of its process', async () => {
  const python = startPython(`
import threading
said = threading.Event()
thread = threading.Thread(target=said.wait); thread.start(); say('started')
wait(); said.set(); thread.join()
while len(os.listdir('/proc/self/task')) > 1: time.sleep(.001)
say('alone'); wait()`)
  await python.line()
  const told: string[] = []
  const kills = new KillWatch(python.pid, () => told.push('killed'))
  atEnd(() => kills.close())
  python.write('end the thread')
  expect(await python.line()).toBe('alone')
  await sleep(50)
  expect(told).toEqual([])
})

it('leaves an end without a signal to the pidfd of the process', async () => {
  const { child, told } = await startNode('process.exit(0)')
  child.kill('SIGUSR2')
  await ended(told)
  expect(told).toEqual(['ended'])
})

// proc_pid_stat(5): the 9th field has the flags, the 31st the pending signals.
const stat = (flags: number, pending: number) =>
  `7 (a ) (b) S 1 7 7 0 -1 ${flags} ${Array(21).fill(0).join(' ')} ${pending} 0 0 0`

it('reads the kill from the flags or the pending signals of the main thread', () => {
  expect(isKilled(stat(0x400100, 0))).toBe(false)
  expect(isKilled(stat(0x400500, 0))).toBe(true)
  expect(isKilled(stat(0x400100, 0x100))).toBe(true)
  expect(isKilled(stat(0x400104, 0x200))).toBe(false)
  expect(isKilled('')).toBe(false)
})
