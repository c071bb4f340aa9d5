// Whoever reads events reads on while the broker is away: as a process of its own, which nothing else keeps alive.

import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { CLI, type Daemon, stopCleanly, until } from '../support/daemon.ts'
import { brokerPid, killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:${process.getuid!()}"]`
const SDK = new URL('../../dist/client/index.js', import.meta.url).href
const SCRIPT = `
import { connect } from ${JSON.stringify(SDK)}
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())
try {
  for await (const event of connect({ socket: process.argv[2] }).events({ signal: stop.signal })) console.log(JSON.stringify(event))
} catch (error) {
  if (!stop.signal.aborted) throw error
}`

function script({ directory, control }: Daemon): string[] {
  const file = join(directory, 'events.mjs')
  writeFileSync(file, SCRIPT)
  return [file, control]
}

const READERS: Record<string, (daemon: Daemon) => string[]> = {
  'a script with the SDK': script,
  'fd-broker events': ({ control }) => [CLI, 'events', '--json', '--socket', control],
}

/** A Node process that prints events, one a line. */
function read(argv: readonly string[]) {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const child = spawn(process.execPath, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk
  })
  const over = new Promise<{ status: number | null; stderr: string }>((resolve) =>
    child.once('close', (status) => resolve({ status, stderr })),
  )
  atEnd(() => {
    child.kill('SIGKILL')
    return over
  })
  const names = () => [...stdout.matchAll(/"event":"(\w+)"/g)].map(([, name]) => name)
  const runs = () => child.exitCode === null && child.signalCode === null
  return { child, over, names, runs }
}

it.each(Object.keys(READERS))('%s reads on after kill -9 of the broker, until Ctrl-C', async (reader) => {
  const daemon = await startKept({ sockets: SOCKETS })
  const { child, over, names, runs } = read(READERS[reader]!(daemon))
  const heardMore = async (what: string) => {
    const before = names().length
    await until(async () => {
      const worker = await Asker.connect(daemon.control)
      await worker.ask('release', { lease: await worker.lease('web') })
      worker.close()
      return names().length > before || !runs()
    }, what)
    expect(runs(), what).toBe(true)
  }
  await heardMore('events come')
  for (const death of [1, 2, 3]) {
    await killBroker(daemon)
    const times = () => names().filter((name) => name === 'reconnected').length
    await until(() => times() === death || !runs(), 'it is connected again')
    expect([runs(), times()]).toEqual([true, death])
    await heardMore('events come again')
  }
  child.kill('SIGINT')
  expect(await over).toEqual({ status: 0, stderr: '' })
  await stopCleanly(daemon)
})

it('a program that holds a lease and nothing else ends, also while its broker is away', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const file = join(daemon.directory, 'idle.mjs')
  writeFileSync(
    file,
    `import { connect } from ${JSON.stringify(SDK)}
const broker = connect({ socket: process.argv[2] })
const { id } = await broker.acquire('web')
console.log(JSON.stringify({ event: 'lease', id }))
process.kill((await broker.stats()).pid, 'SIGKILL')`,
  )
  const before = await brokerPid(daemon)
  const { over } = read([file, daemon.control])
  expect(await over).toEqual({ status: 0, stderr: '' })
  // A keeper that is stopped before it has started another broker has only the killed one's status to end with.
  await until(async () => (await brokerPid(daemon).catch(() => before)) !== before, 'another broker answers')
  await stopCleanly(daemon)
})
