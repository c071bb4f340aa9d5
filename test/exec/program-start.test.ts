// What a program finds under `fd-broker exec` is what it finds under a shell.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { CLI, type Daemon, startDaemon } from '../support/daemon.ts'
import { STUB } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const HARNESS = join(import.meta.dirname, 'program_start.py')

interface Found {
  status: number
  lines: string[]
}

let daemon: Daemon
beforeEach(async () => {
  daemon = await startDaemon({ sockets: '[sockets.web]\nlisten = ["tcp://127.0.0.1:0"]\nallow = ["any"]' })
})

function start(kind: string, ...before: string[]): { sh: Found; exec: Found } {
  const text = execFileSync('python3', [HARNESS, kind, ...before, '--socket', daemon.control, 'exec', 'web', '--'], {
    encoding: 'utf8',
  })
  return JSON.parse(text)
}

/** Without what exec is there to add. A shell passes on what it inherited beyond descriptor 2; exec closes that. */
const inherited = (lines: string[]) => lines.filter((line) => !/^(fd ([3-9]|\d\d+) |LISTEN_|NOTIFY_SOCKET=)/.test(line))

describe('a program under exec finds what it finds under sh', () => {
  it.each([
    'pipes',
    'files',
    'terminal',
    'closed_stdin',
    'closed_stdio',
    'ignored_signals',
    'blocked_signals',
    'small_limit',
    'nonblocking_pipe',
    'umask_and_bytes',
  ])('%s', (kind) => {
    const { sh, exec } = start(kind, STUB)
    expect(sh.lines.length).toBeGreaterThan(30)
    expect(inherited(exec.lines)).toEqual(inherited(sh.lines))
    expect(exec.status).toBe(sh.status)
    // Those from 10 on are the shell's own, and close-on-exec.
    expect(exec.lines.filter((line) => /^fd [3-9] /.test(line))).toEqual([
      expect.stringMatching(/^fd 3 socket flags:\t02$/),
    ])
  })
})

describe('without the stub, Node has changed', () => {
  it.each([
    ['small_limit', 'Max open files'],
    ['ignored_signals', 'SigIgn'],
  ])('%s', (kind, line) => {
    const { sh, exec } = start(kind, process.execPath, CLI)
    const of = ({ lines }: Found) => lines.find((one) => one.startsWith(line))
    expect(of(exec)).not.toBe(of(sh))
  })
})
