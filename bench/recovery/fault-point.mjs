// One fault point: a broker under its keeper, clients that play one of the stories, a kill somewhere in it, and the comparison of the
// journal of answers with `holders`.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../dist/client/index.js'
import { playLeases } from './story-leases.mjs'
import { playPrograms } from './story-programs.mjs'
import { playRestart } from './story-restart.mjs'
import { trace, tracedProgram } from './tracer.mjs'

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const PATIENCE = 20_000
const CONFIG = `[broker]
control = "{dir}/control.sock"
reclaim_timeout = "5s"
[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]
allow = ["any"]
drain_timeout = "20s"
[sockets.only]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
mode = "exclusive"
drain_timeout = "20s"
`

/** Each returns what the broker says otherwise than they were told. In `restart` a broker dies that comes after another. */
const STORIES = { leases: playLeases, programs: playPrograms, restart: playRestart }

/** `killedAt`: the call with its first bytes; undefined when the clients were done before. */
export async function runFaultPoint(call, point, story = 'leases') {
  const directory = mkdtempSync(join(tmpdir(), 'fd-broker-fault-'))
  const file = join(directory, 'broker.toml')
  writeFileSync(file, CONFIG.replaceAll('{dir}', directory))
  const program = story === 'restart' ? tracedProgram(directory, CLI, call, point) : undefined
  const env = { ...process.env, ...(program && { FD_BROKER_SELF: program.path }) }
  const keeper = spawn(process.execPath, [CLI, 'serve', '--config', file], { stdio: 'ignore', env })
  const control = join(directory, 'control.sock')
  const admin = connect({ socket: control, timeout: 30_000 })
  const cast = []
  let tracer
  try {
    const { pid } = await admin.stats()
    const cookies = await cookiesOf(admin)
    const restart = () => {
      program.arm()
      process.kill(pid, 'SIGKILL')
    }
    tracer = program ?? (await trace(pid, call, point))
    const play = STORIES[story]({ control, admin, cast, restart }).catch((error) => [
      `a client failed: ${error.message}`,
    ])
    const faults = await within(play, PATIENCE, 'the clients were not done: a name is blocked')
    if ((await cookiesOf(admin)) !== cookies) faults.push('the sockets are others')
    return { faults, killedAt: tracer.killedAt() }
  } finally {
    tracer?.stop()
    for (const one of [...cast, admin]) await one.close()
    await end(keeper)
    rmSync(directory, { recursive: true, force: true })
  }
}

async function cookiesOf(admin) {
  const views = await admin.list()
  return views.flatMap(({ sockets }) => sockets.map(({ cookie }) => cookie)).join()
}

async function within(promise, ms, otherwise) {
  const late = sleep(ms, [otherwise], { ref: false })
  return await Promise.race([promise, late])
}

async function end(keeper) {
  const ended = new Promise((resolve) => keeper.once('exit', resolve))
  keeper.kill('SIGTERM')
  const late = sleep(3000, 'late', { ref: false })
  if ((await Promise.race([ended, late])) === 'late') keeper.kill('SIGKILL')
  await ended
}
