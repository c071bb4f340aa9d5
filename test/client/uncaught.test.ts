// What somebody sees who does not catch: the words, and the line of his own program.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startDaemon, stopCleanly, temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SDK = resolve(import.meta.dirname, '../../dist/client/fd-broker.js')

/** A program of these lines, and what it says of itself as it dies. */
function run(control: string, lines: readonly string[]) {
  const file = join(temporaryDirectory(), 'program.mjs')
  const first = `import { connect } from ${JSON.stringify(SDK)}; const broker = connect({ socket: process.argv[2], timeout: 1500 })`
  writeFileSync(file, [first, ...lines].join('\n'))
  const { status, stderr } = spawnSync(process.execPath, [file, control], { encoding: 'utf8' })
  const [stack = ''] = stderr.slice(stderr.indexOf('BrokerError: ')).split(' {\n')
  return {
    status,
    stderr,
    frames: stack
      .split('\n')
      .slice(1)
      .filter((line) => !line.includes('(node:')),
    file,
  }
}

const inFunction = (call: string) => ['async function start() {', `  return await ${call}`, '}', 'await start()']
const web = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n'

describe('an error that nobody catches', () => {
  it.each<[string, string[]]>([
    ['acquire() of a name that is not there', inFunction('broker.acquire("nope")')],
    ['a verb that is refused', inFunction('broker.resume("nope")')],
    ['an argument that is none', inFunction('broker.acquire("web", { wait: -5 })')],
    ['one of several at once', inFunction('Promise.all([broker.acquire("web"), broker.acquire("nope")])')],
    [
      'ready() of a lease that was released',
      [
        'async function start() {',
        '  return await lease.ready()',
        '}',
        'const lease = await broker.acquire("web")',
        'await lease.release()',
        'await start()',
      ],
    ],
  ])('%s: a few lines, with the file and line of the call', async (_what, lines) => {
    const daemon = await startDaemon({ sockets: web })
    const { status, stderr, frames, file } = run(daemon.control, lines)
    expect(status).toBe(1)
    expect(stderr.length).toBeLessThan(3000)
    expect(frames.join('\n')).toMatch(new RegExp(`start \\(file://${file}:3:\\d+\\)`))
    expect(frames.filter((line) => line.includes(SDK)).length).toBeLessThan(4)
    await stopCleanly(daemon)
  })

  it('a broker that is away, whoever else waits for it', () => {
    const one = ['async function other() {', '  await broker.list().catch(() => {})', '}', 'other()']
    const { status, stderr, frames, file } = run('/nonexistent/control.sock', [
      ...one,
      ...inFunction('broker.acquire("web")'),
    ])
    expect(status).toBe(1)
    expect(stderr.length).toBeLessThan(3000)
    const caller = frames.find((line) => !line.includes(SDK))
    expect(caller).toMatch(new RegExp(`^ +at async start \\(file://${file}:7:\\d+\\)`))
    expect(frames.join()).not.toContain('other')
  })

  it('of those who share one failure each has the stack of its own call', () => {
    const { stderr, file } = run('/nonexistent/control.sock', [
      'const one = async () => await broker.list()',
      'const two = async () => await broker.list()',
      'const [a, b] = await Promise.allSettled([one(), two()])',
      'console.error(JSON.stringify([a.reason.stack, b.reason.stack]))',
    ])
    const [first, second] = JSON.parse(stderr) as string[]
    expect(first).toContain(`one (file://${file}:2:`)
    expect(first).not.toContain('two')
    expect(second).toContain(`two (file://${file}:3:`)
  })
})

it('the SDK’s file has no line that would fill a screen', () => {
  const longest = Math.max(
    ...readFileSync(SDK, 'utf8')
      .split('\n')
      .map(({ length }) => length),
  )
  expect(longest).toBeLessThan(4000)
})
