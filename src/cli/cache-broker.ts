// node dist/cli/cache-broker.js: writes dist/cli/broker.cache, what V8 makes of the broker (load-broker.ts), for the Node that runs this.
// What V8 compiles only when it is called is in it too if it was called: so a broker is started, killed while clients hold leases, and
// started again by its keeper, as in earnest; that second one writes down what it has compiled.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Broker, connect } from '../client/index.ts'
import { ProgramLeases } from '../client/program-leases.ts'
import { findKeeper } from '../sys/index.ts'
import { cachePath, compileBroker, sealCache } from './load-broker.ts'

const PATIENCE_MS = 30_000
const CONFIG = `[broker]
control = "{dir}/control.sock"
[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]
allow = ["user:{uid}"]
[sockets.one]
listen = "unix://{dir}/one.sock"
mode = "exclusive"
allow = ["any"]
`

/** As the broker: serves, and writes the cache when it is told to. */
async function serve(): Promise<void> {
  const broker = compileBroker()
  if (broker === undefined) throw new Error('dist/cli/broker.cjs is missing: run scripts/build')
  // A cache is good for the flags of V8 that it was written with, and read with: those of the start, before the broker sets any.
  createRequire(import.meta.url)('node:v8').setFlagsFromString = () => {}
  process.on('SIGUSR2', () => {
    const path = cachePath(import.meta.dirname)
    writeFileSync(`${path}.new`, sealCache(broker.script.createCachedData(), import.meta.dirname), { mode: 0o644 })
    renameSync(`${path}.new`, path)
    console.log('written')
  })
  const { processEnv, run } = broker.evaluate()
  process.exitCode = await run(process.argv.slice(2), processEnv())
}

async function make(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'fd-broker-cache-'))
  const config = join(directory, 'broker.toml')
  writeFileSync(config, CONFIG.replaceAll('{dir}', directory).replaceAll('{uid}', String(process.getuid!())))
  const words = [process.execPath, import.meta.filename, 'serve', '--config', config]
  const keeper = spawn(findKeeper(), words, { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(keeper, 'exit')
  const socket = join(directory, 'control.sock')
  const broker = connect({ socket, timeout: PATIENCE_MS })
  const program = new ProgramLeases({ socket, timeout: PATIENCE_MS })
  try {
    await use(broker, program)
    const { pid } = await broker.stats()
    const written = once(keeper.stdout, 'data', { signal: AbortSignal.timeout(PATIENCE_MS) })
    process.kill(Number(pid), 'SIGUSR2')
    await written
    await broker.shutdown()
    await ended
  } finally {
    await broker.close()
    keeper.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
}

/** What a broker does most, once for each of two. */
async function use(broker: Broker, program: ProgramLeases): Promise<void> {
  const [web, one] = [await broker.acquire('web', { ready: true }), await broker.acquire('one')]
  const bound = await program.acquire('web', {})
  await one.ready()
  await bound.ready()
  for (let life = 0; life < 2; life++) {
    const { pid } = await broker.stats()
    if (life === 0) process.kill(Number(pid), 'SIGKILL')
    await broker.list()
    await broker.holders()
    const another = await broker.acquire('web', { ready: true })
    await another.release()
    await sleep(200)
  }
  for (const lease of [web, one]) await lease.release()
  await program.close()
}

await (process.env['FD_BROKER_KEEPER'] === undefined ? make() : serve())
