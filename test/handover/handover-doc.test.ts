import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { CLI, type Daemon, startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks, openFds } from '../support/leaks.ts'

forbidLeaks()

const doc = readFileSync(new URL('../../docs/handover.md', import.meta.url), 'utf8')
const sdk = new URL('../../dist/client/index.js', import.meta.url).href

/** The indented block that has this line. */
function block(line: string): string {
  const found = doc.split(/\n(?! {4}|\n)/).find((part) => part.includes(`    ${line}`))!
  const lines = found.split('\n').filter((each) => each.startsWith('    ') || each === '')
  return lines.map((each) => each.slice(4)).join('\n')
}

const commands = [...doc.matchAll(/^ {4}\$ fd-broker (.+)$/gm)].map(([, words]) => words!.split(' '))

function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent: false }, (response) => resolve(text(response)))
    request.on('error', reject)
  })
}

function startWorker(daemon: Daemon, release: string): void {
  const file = join(daemon.directory, 'worker.mjs')
  writeFileSync(file, block("import http from 'node:http'").replace("'fd-broker'", JSON.stringify(sdk)))
  const child = spawn(process.execPath, [file], {
    stdio: 'ignore',
    env: { ...process.env, FD_BROKER_SOCKET: daemon.control, RELEASE: release },
  })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  atEnd(() => {
    child.kill('SIGKILL')
    return exited
  })
}

/** It has a socket beside its stdout; what it does at SIGINT it has said before. */
const isConnected = (pid: number) => [...openFds(pid)].some(([fd, what]) => fd > 2 && what.startsWith('socket:'))

async function run(daemon: Daemon, words: readonly string[]): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, [CLI, '--socket', daemon.control, ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  // The only one that goes on for ever.
  if (words[0] === 'events') {
    await until(() => isConnected(child.pid!), 'it is connected')
    setTimeout(() => child.kill('SIGINT'), 500)
  }
  const [code, stdout] = await Promise.all([exited, text(child.stdout)])
  return { code, stdout }
}

it('its config, its worker and its commands do what it says', async () => {
  const config = block('[sockets.web]').replace('8080', '0').replace('user:www-data', 'any')
  const daemon = await startDaemon({ sockets: config })
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  const state = async () => (await broker.list())[0]!
  const serving = (label: string) =>
    until(
      async () => (await state()).generation === label && (await state()).holders.ready === 2,
      `two of ${label} serve`,
    )

  for (const release of ['v1', 'v1']) startWorker(daemon, release)
  await serving('v1')
  for (const release of ['v2', 'v2']) startWorker(daemon, release)
  await serving('v2')
  const port = Number((await state()).sockets[0]!.address.split(':').at(-1))

  const done: string[] = []
  let late: Promise<string> | undefined
  for (const words of commands) {
    const { code, stdout } = await run(daemon, words)
    expect([words.join(' '), code]).toEqual([words.join(' '), 0])
    done.push(words[0]!)
    if (words[0] === 'holders') expect(stdout.match(/ v2 /g)).toHaveLength(2)
    if (words[0] === 'pause') {
      await until(async () => (await broker.holders('web')).length === 0, 'the holders have drained')
      late = ask(port)
    }
    if (words[0] === 'list') expect(stdout).toMatch(/ 1\/\d+ +0 +paused/)
    if (words[0] === 'resume') expect(await late).toBe('hello\n')
    if (words[0] === 'resume') await serving('v2')
  }
  expect(done).toEqual(['events', 'holders', 'pause', 'list', 'resume', 'drain'])
  await serving('v2')
  expect(await ask(port)).toBe('hello\n')
})
