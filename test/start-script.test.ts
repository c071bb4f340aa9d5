import { execFileSync, spawn } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { IS_ROOT, NOBODY, temporaryDirectory } from './support/daemon.ts'
import { forbidLeaks } from './support/leaks.ts'

forbidLeaks()

const ROOT = resolve(import.meta.dirname, '..')
const LIMIT_MS = 120_000

interface Result {
  code: number | null
  output: string
  /** Processes of the script's group that outlived it. */
  left: string[]
}

async function check(root: string, env: NodeJS.ProcessEnv = {}, uid?: number): Promise<Result> {
  const child = spawn(join(root, 'scripts/start'), ['--check'], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    timeout: LIMIT_MS,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  const left = processesOf(child.pid!)
  if (left.length > 0) process.kill(-child.pid!, 'SIGKILL')
  return { code, output: stdout + stderr, left }
}

function processesOf(group: number): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2] === String(group)
    } catch {
      return false
    }
  })
}

function expectSuccess({ code, output, left }: Result): void {
  expect(output).toContain('kill -9 the worker, start another, ask again')
  expect(new Set(output.match(/^Hello from pid \d+$/gm)).size).toBe(2)
  expect(output).toMatch(/^NAME +ADDRESS +MODE/m)
  expect(output).toMatch(/^ *LEASE +NAME +PID/m)
  expect(code).toBe(0)
  expect(left).toEqual([])
}

const brokers = (directory: string) => readdirSync(directory).filter((name) => name.startsWith('fd-broker-'))

it(
  'scripts/start --check shows a worker killed and followed by another, and leaves nothing',
  async () => {
    const before = brokers('/run')
    const runtime = temporaryDirectory()
    expectSuccess(await check(ROOT, { XDG_RUNTIME_DIR: runtime }))
    expect(brokers('/run')).toEqual(before)
    expect(readdirSync(runtime)).toEqual([])
  },
  LIMIT_MS,
)

/** True when others may look into every directory on the way. */
function othersMayRead(path: string): boolean {
  const { mode } = statSync(path)
  return (mode & 0o005) === 0o005 && (path === '/' || othersMayRead(dirname(path)))
}

const modules = realpathSync(join(ROOT, 'node_modules'))

it.runIf(IS_ROOT && othersMayRead(modules))(
  'scripts/start --check works for an ordinary user (needs root, and a checkout that others may read)',
  async () => {
    const directory = temporaryDirectory()
    const checkout = join(directory, 'checkout')
    const skipped = new Set(['node_modules', '.git', 'dist', 'test', 'prebuilds'])
    cpSync(ROOT, checkout, {
      recursive: true,
      preserveTimestamps: true,
      filter: (from) => dirname(from) !== ROOT || !skipped.has(from.slice(ROOT.length + 1)),
    })
    execFileSync('chown', ['-Rh', `${NOBODY}:${NOBODY}`, directory])
    symlinkSync(modules, join(checkout, 'node_modules'))
    const env = { HOME: directory, TMPDIR: directory, XDG_RUNTIME_DIR: '' }
    expectSuccess(await check(checkout, env, NOBODY))
    expect(readdirSync(directory)).toEqual(['checkout'])
  },
  LIMIT_MS,
)
