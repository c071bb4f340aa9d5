import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterEach } from 'vitest'

/** An independent peer: python3 running `program`, which talks by lines. */
export interface Python {
  readonly process: ChildProcess
  readonly pid: number
  line(): Promise<string>
  write(text: string): void
  exit(): Promise<number | null>
}

const running = new Set<ChildProcess>()

/** Ends what a test started. Call it after forbidLeaks(): hooks run in reverse order. */
export function endPythons(): void {
  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL')
    await until(() => running.size === 0)
  })
}

const prelude = `
import array, ctypes, os, signal, socket, struct, sys, time
def say(*words): print(*words, flush=True)
def wait(): return sys.stdin.readline()
`

/** `fds`: descriptors of ours that it inherits as 3, 4… */
export function startPython(
  program: string,
  args: readonly string[] = [],
  uid?: number,
  fds: readonly number[] = [],
): Python {
  const ids = uid === undefined ? {} : { uid, gid: uid }
  const child = spawn('python3', ['-c', prelude + program, ...args], {
    ...ids,
    // Not inherited: libuv would clear O_NONBLOCK on the stderr that this process shares with others.
    stdio: ['pipe', 'pipe', 'pipe', ...fds],
    cwd: '/',
  })
  child.stderr?.on('data', (text) => process.stderr.write(text))
  running.add(child)
  const exited = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      running.delete(child)
      resolve(code)
    })
  })
  child.stdin!.on('error', () => {})
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return {
    process: child,
    pid: child.pid!,
    line: async () => {
      const { value, done } = await lines.next()
      if (done) throw new Error('python ended')
      return value
    },
    write: (text) => child.stdin!.write(`${text}\n`),
    exit: () => exited,
  }
}

export async function until(condition: () => boolean, ms = 5000): Promise<void> {
  const deadline = performance.now() + ms
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
