import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { addon, constants } from '../../src/sys/addon.ts'
import { ExitSet } from '../../src/sys/exit-set.ts'
import { KillWatch } from '../../src/sys/kill-watch.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { ProcessWatch } from '../../src/sys/pidfd.ts'
import { atEnd } from '../support/cleanup.ts'
import { kernelFrom } from '../support/kernel.ts'
import { endPythons, startPython } from '../support/python.ts'

endPythons()

/** PIDFD_THREAD. */
const watchesThreads = kernelFrom(6, 9)

/** A Node.js process with so much memory that its end takes the kernel a while; `program` runs when told to by SIGUSR2. */
async function startNode(program = ''): Promise<{ child: ChildProcess; pid: number; told: string[] }> {
  const script = `const memory = Buffer.alloc(256 << 20, 1)
    process.on('SIGUSR2', async () => { ${program} })
    setInterval(() => memory, 1e6)
    console.log('started')`
  // Some of its ends would dump its memory.
  const child = spawn('sh', ['-c', 'ulimit -c 0; exec "$0" -e "$1"', process.execPath, script], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
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

it.each(['SIGTERM', 'SIGABRT', 'SIGSEGV'] as const)(
  'leaves an end by %s to the pidfd of the process',
  async (signal) => {
    const { child, told } = await startNode()
    child.kill(signal)
    await ended(told)
    expect(told).toEqual(['ended'])
  },
)

it('does not take execve() by one of its threads, which ends all others, for a kill', async () => {
  const python = startPython(`
import threading
def begin_anew():
    wait(); os.execv(sys.executable, sys.orig_argv)
for _ in range(8): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
threading.Thread(target=begin_anew, daemon=True).start()
say('started'); time.sleep(60)`)
  const told: string[] = []
  for (let round = 0; round < 20; round++) {
    expect(await python.line()).toBe('started')
    const kills = new KillWatch(python.pid, () => told.push('killed'))
    atEnd(() => kills.close())
    python.write('begin anew')
  }
  expect(await python.line()).toBe('started')
  expect(told).toEqual([])
})

it('reads the kill from what is pending for the whole process, not for a thread', async () => {
  // SIGUSR1 is blocked, so that it stays pending too.
  const python = startPython(`signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]); say('started'); wait()`)
  await python.line()
  const status = new OwnedFd(addon.open(`/proc/${python.pid}/status`, constants.O_RDONLY, 0))
  atEnd(() => status.close())
  expect(addon.killPending(status.fd)).toBe(0)
  python.process.kill('SIGUSR1')
  expect(addon.killPending(status.fd)).toBe(0)
  python.process.kill('SIGKILL')
  expect(addon.killPending(status.fd)).toBe(1)
  await python.exit()
  expect(addon.killPending(status.fd)).toBe(-constants.errno.ESRCH)
})
