// Descriptors that a service manager passed: in a process of its own, whose first free number is 3.

import { execFileSync } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { expect, it } from 'vitest'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const module_ = new URL('../../dist/sys/listen-fds.js', import.meta.url).href

interface Taken {
  names: string[]
  /** Where each leads to. */
  targets: string[]
  closeOnExec: boolean[]
  /** Numbers that were passed and are still open. */
  left: number[]
  variables: string[]
  again: number
}

const PROGRAM = `
import { readFileSync, readlinkSync } from 'node:fs'
import { takePassedFds } from '${module_}'
const target = (fd) => { try { return readlinkSync('/proc/self/fd/' + fd) } catch { return undefined } }
const passed = ['/dev/null', '/dev/zero', '/dev/full']
const taken = takePassedFds(process.env)
const flags = (fd) => parseInt(/flags:\\s+(\\d+)/.exec(readFileSync('/proc/self/fdinfo/' + fd, 'utf8'))[1], 8)
console.log(JSON.stringify({
  names: taken.map(({ name }) => name),
  targets: taken.map(({ fd }) => target(fd.fd)),
  closeOnExec: taken.map(({ fd }) => (flags(fd.fd) & 0o2000000) !== 0),
  left: [3, 4, 5].filter((fd, at) => target(fd) === passed[at]),
  variables: Object.keys(process.env).filter((name) => name.startsWith('LISTEN_')),
  again: takePassedFds(process.env).length,
}))`

/** `set`: assignments of a shell whose $$ is the program's own pid. */
function take(set: string): Taken {
  const fds = ['/dev/null', '/dev/zero', '/dev/full'].map((path) => openSync(path, 'r'))
  try {
    const text = execFileSync(
      'sh',
      ['-c', `${set} exec "$@"`, 'sh', process.execPath, '--input-type=module', '-e', PROGRAM],
      {
        stdio: ['ignore', 'pipe', 'pipe', ...fds],
        encoding: 'utf8',
        env: { ...process.env, NODE_OPTIONS: '' },
      },
    )
    return JSON.parse(text) as Taken
  } finally {
    for (const fd of fds) closeSync(fd)
  }
}

it('takes as many as it is told, by their names, close-on-exec, once; and no child inherits the variables', () => {
  expect(take('LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:api LISTEN_PIDFDID=7')).toEqual({
    names: ['web', 'api'],
    targets: ['/dev/null', '/dev/zero'],
    closeOnExec: [true, true],
    left: [5],
    variables: [],
    again: 0,
  })
})

it('a descriptor without a name is unknown', () => {
  expect(take('LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=web:').names).toEqual(['web', 'unknown', 'unknown'])
  expect(take('LISTEN_PID=$$ LISTEN_FDS=1').names).toEqual(['unknown'])
})

it.each([
  ['for another process', 'LISTEN_PID=1 LISTEN_FDS=2'],
  ['for a process that is not named', 'LISTEN_FDS=2'],
  ['without a number', 'LISTEN_PID=$$'],
  ['with a number that is none', 'LISTEN_PID=$$ LISTEN_FDS=-1'],
  ['with a number with something behind it', 'LISTEN_PID=$$ LISTEN_FDS=2x'],
  ['with a number that no table has', 'LISTEN_PID=$$ LISTEN_FDS=1000000'],
])('what is passed %s is left alone, and the variables are removed', (_, set) => {
  expect(take(set)).toMatchObject({ names: [], left: [3, 4, 5], variables: [] })
})
