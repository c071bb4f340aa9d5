// Reloads with random valid and faulty files, while clients connect to a TCP port and a Unix path that SDK workers serve.
// node bench/reload.mjs [--reloads 100] [--seed 1] [--every 150]: the milliseconds between two reloads. Needs dist/ (npm run build).

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect } from '../dist/client/index.js'

const { values } = parseArgs({
  options: {
    reloads: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    every: { type: 'string', default: '150' },
  },
})
const reloads = Number(values.reloads)
let state = Number(values.seed)
/** Park and Miller's generator: the same seed, the same files. */
const random = (below) => {
  state = (state * 48_271) % 2_147_483_647
  return state % below
}

const directory = mkdtempSync(join(tmpdir(), 'fd-broker-reload-'))
const config = join(directory, 'broker.toml')
const control = join(directory, 'control.sock')
const cli = new URL('../dist/cli/main.js', import.meta.url).pathname
const HEAD = `[broker]\ncontrol = "${control}"\n`
const name = (title, listen, more) => `[sockets.${title}]\nlisten = "${listen}"\nallow = ["any"]\n${more}\n`
const steady = name('steady', 'tcp://127.0.0.1:0', '')
/** The first needs a new socket each time that it comes or goes, the others are set live. */
const OPTIONS = ['receive_buffer = "64K"', 'backlog = 512', 'drain_timeout = "20s"']
const TCP_OPTIONS = [...OPTIONS, 'keep_alive = true', 'priority = 2']
const FAULTS = ['backlgo = 1', 'quorum = 0', 'listen = 7', 'x = = y', 'mode = "none"']

function valid(port) {
  const chosen = (options) => options.filter(() => random(2) === 1).join('\n')
  const extra = random(2) === 1 ? name(`extra-${random(3)}`, 'tcp://127.0.0.1:0', '') : ''
  return [
    HEAD,
    steady,
    name('web', `tcp://127.0.0.1:${port}`, chosen(TCP_OPTIONS)),
    name('api', `unix://${directory}/api.sock`, chosen(OPTIONS)),
    extra,
  ].join('\n')
}

const write = (text) => writeFileSync(config, text, { mode: 0o644 })
const free = net.createServer().listen(0, '127.0.0.1')
await once(free, 'listening')
const { port } = free.address()
free.close()
await once(free, 'close')

write(
  [HEAD, steady, name('web', `tcp://127.0.0.1:${port}`, ''), name('api', `unix://${directory}/api.sock`, '')].join(
    '\n',
  ),
)
const children = [
  spawn(process.execPath, [cli, 'serve', '--no-keeper', '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] }),
]
let log = ''
children[0].stderr.setEncoding('utf8').on('data', (chunk) => {
  log += chunk
})
const admin = connect({ socket: control })
const cookie = async () => (await admin.list()).find((listed) => listed.name === 'steady').sockets[0].cookie
const before = await cookie()

const WORKER = `
import net from 'node:net'
import { connect } from ${JSON.stringify(new URL('../dist/client/index.js', import.meta.url).href)}
const lease = await connect({ socket: process.argv[2] }).acquire(process.argv[3])
await lease.serve(net.createServer((socket) => socket.end('here')))`
writeFileSync(join(directory, 'worker.mjs'), WORKER)
for (const title of ['web', 'api', 'web', 'api']) {
  const worker = spawn(process.execPath, [join(directory, 'worker.mjs'), control, title], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  children.push(worker)
}
while ((await admin.holders()).filter(({ state }) => state === 'ready').length < 4) await sleep(20)

const figures = { connections: 0, failed: 0, failures: {} }
let running = true
async function load(to) {
  while (running) {
    const failure = await new Promise((resolve) => {
      let text = ''
      const socket = net.connect(to)
      socket.setTimeout(20_000, () => socket.destroy(new Error('no answer')))
      socket.on('data', (chunk) => {
        text += chunk
      })
      socket.once('error', (error) => resolve(error.code ?? error.message))
      socket.once('close', () => resolve(text === 'here' ? undefined : 'closed without an answer'))
    })
    figures.connections++
    if (failure !== undefined) {
      figures.failed++
      figures.failures[failure] = (figures.failures[failure] ?? 0) + 1
    }
    await sleep(2)
  }
}
const clients = [
  load({ host: '127.0.0.1', port }),
  load({ path: `${directory}/api.sock` }),
  load({ host: '127.0.0.1', port }),
]

const count = { applied: 0, refused: 0, wrong: 0 }
for (let at = 0; at < reloads; at++) {
  const faulty = random(4) === 0
  write(faulty ? `${valid(port)}\n${name('bad', 'tcp://127.0.0.1:0', FAULTS[random(FAULTS.length)])}` : valid(port))
  const outcome = await admin.reload().then(
    () => 'applied',
    (error) => {
      if (!faulty) process.stderr.write(`${error.message}\n`)
      return 'refused'
    },
  )
  count[outcome]++
  if ((outcome === 'refused') !== faulty) count.wrong++
  await sleep(Number(values.every))
}
running = false
await Promise.all(clients)
const same = (await cookie()) === before
const replaced = log.split('old socket closed').length - 1
const dropped = [...log.matchAll(/"dropped":(\d+)/g)].reduce((sum, [, digits]) => sum + Number(digits), 0)
await admin.close()
for (const child of children.slice(1)) child.kill('SIGKILL')
children[0].kill('SIGINT')
await once(children[0], 'close')
rmSync(directory, { recursive: true })
process.stdout.write(
  `${JSON.stringify({ reloads, ...count, ...figures, socketsReplaced: replaced, dropped, unchangedKeptCookie: same }, undefined, 2)}\n`,
)
process.exitCode = figures.failed === 0 && count.wrong === 0 && same ? 0 : 1
