// node scripts/fuzz-control.mjs [PACKETS] [SEED]: valid and mutated requests of every verb against the control socket of a live broker of
// its own. Needs `scripts/build` first. Prints one line of figures as JSON; exits 1 when the broker ended, failed at a request, kept a
// descriptor or a lease, or no longer serves.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../dist/client/index.js'
import { Channel } from '../dist/sys/index.js'
import { mutator } from './fuzz/mutate.mjs'
import { HARMLESS_REQUESTS, HELLO } from './fuzz/requests.mjs'

const packets = Number(process.argv[2] ?? 100_000)
const seed = Number(process.argv[3] ?? 1)
const AT_ONCE = 16
const VALID_BEFORE = 2

const { below, mutated } = mutator(seed)
const directory = mkdtempSync(join(tmpdir(), 'fd-broker-fuzz-'))
const control = join(directory, 'control.sock')
const config = join(directory, 'broker.toml')
const name = (label, mode) => `[sockets.${label}]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\nmode = "${mode}"\n`
writeFileSync(config, `[broker]\ncontrol = "${control}"\n${name('web', 'shared')}${name('one', 'exclusive')}`, {
  mode: 0o600,
})
const cli = join(import.meta.dirname, '../dist/cli/main.js')
const daemon = spawn(process.execPath, [cli, 'serve', '--no-keeper', '--log-level', 'error', '--config', config], {
  stdio: ['ignore', 'ignore', 'pipe'],
})
let log = ''
daemon.stderr.on('data', (chunk) => {
  log += chunk
})

const figures = { packets, seed, sent: 0, answers: 0, granted: 0, connections: 0 }
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))[1])
const fds = () => readdirSync(`/proc/${daemon.pid}/fd`).length

async function attack() {
  while (figures.sent < packets) {
    let open = true
    const channel = await connected({
      message(_, info) {
        figures.answers++
        figures.granted += info.fds.length > 0
        for (const fd of info.fds) fd.close()
      },
      close: () => {
        open = false
      },
    })
    figures.connections++
    if (below(16) > 0) channel.send(HELLO)
    // The mutated one comes last: what follows a malformed packet is not looked at.
    while (open && figures.sent < packets && below(50) > 0) {
      for (let at = 0; at < VALID_BEFORE; at++)
        channel.send(Uint8Array.from(HARMLESS_REQUESTS[below(HARMLESS_REQUESTS.length)]))
      channel.send(mutated(HARMLESS_REQUESTS[below(HARMLESS_REQUESTS.length)]))
      figures.sent += VALID_BEFORE + 1
      for (let turn = 0; turn < 20 && open; turn++) await sleep(0)
    }
    channel.close()
  }
}

async function connected(handlers) {
  for (;;) {
    try {
      return Channel.connect(control, handlers)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
      await sleep(1)
    }
  }
}

/** Asks the broker on a connection that is closed afterwards, so that it watches this process no longer. */
async function asking(question) {
  const client = connect({ socket: control, timeout: 20_000 })
  try {
    return await question(client)
  } finally {
    await client.close()
  }
}

async function settled(what, isSettled) {
  for (let tries = 0; tries < 500; tries++, await sleep(10)) if (await isSettled()) return
  throw new Error(what())
}

const noLease = async () => {
  const { holders } = await asking((client) => client.stats())
  return holders.granted + holders.ready + holders.draining === 0
}

try {
  await asking((client) => client.list())
  await sleep(500)
  const before = { fds: fds(), rss: rss() }
  await Promise.all(Array.from({ length: AT_ONCE }, attack))
  for (const one of ['web', 'one']) await asking((client) => client.resume(one))
  await settled(() => 'leases are left', noLease)
  await settled(
    () => `descriptors: ${before.fds} before, ${fds()} after`,
    () => fds() <= before.fds,
  )
  await asking(async (client) => (await client.acquire('web')).release())
  if (log !== '') throw new Error(`the broker's log:\n${log}`)
  console.log(JSON.stringify({ ...figures, rssGrownKiB: rss() - before.rss }))
} catch (error) {
  console.error(`seed ${seed}: ${error.message}\n${log}`)
  process.exitCode = 1
} finally {
  daemon.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
