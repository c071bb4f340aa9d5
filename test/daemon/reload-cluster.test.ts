// A replacement under workers of node:cluster, whose listen() Node would rather do in the primary.

import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { holders, logged } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cookies, portOf, rewrite } from '../support/reloading.ts'

forbidLeaks()

const web = (more = '') => `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n${more}\n`
const SDK = new URL('../../dist/client/index.js', import.meta.url).href

/** Ends when its stdin does, with its workers. */
const PROGRAM = `
import cluster from 'node:cluster'
import net from 'node:net'
import { connect } from ${JSON.stringify(SDK)}
if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork()
  process.stdin.on('end', () => { for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL'); process.exit() }).resume()
} else {
  const lease = await connect({ socket: process.argv[2] }).acquire('web')
  await lease.serve(net.createServer((socket) => socket.end('worker ' + process.pid)), { signals: [] })
}`

async function answer(port: number): Promise<string> {
  let text = ''
  for await (const chunk of net.connect({ host: '127.0.0.1', port })) text += chunk
  return text
}

it('cluster workers that serve a lease answer on the new socket, and keep their leases', async () => {
  const daemon = await startDaemon({ sockets: web() })
  const file = `${daemon.directory}/cluster.mjs`
  writeFileSync(file, PROGRAM)
  const child = spawn(process.execPath, [file, daemon.control], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text))
  const exited = new Promise((resolve) => child.once('close', resolve))
  atEnd(() => {
    child.stdin.end()
    return exited
  })
  const ready = async () => (await holders(daemon)).filter(({ state }) => state === 'ready')
  await until(async () => (await ready()).length === 2, `both serve: ${stderr}`)
  const [before, port, leases] = [await cookies(daemon, 'web'), await portOf(daemon, 'web'), await ready()]
  const asker = await Asker.connect(daemon.control)
  rewrite(daemon, web('sockopt = [{ level = 6, name = 18, value = 30000 }]'))
  expect(await asker.ask('reload')).toMatchObject({ ok: true })
  expect(await cookies(daemon, 'web')).not.toEqual(before)
  expect((await logged(daemon, 'old socket closed'))[0]).toMatchObject({ dropped: 0, cookie: before![0] })
  const pids = new Set(leases.map(({ pid }) => `worker ${pid}`))
  const answers = await Promise.all(Array.from({ length: 20 }, () => answer(port)))
  expect(answers.filter((text) => !pids.has(text))).toEqual([])
  expect((await ready()).map(({ lease }) => lease)).toEqual(leases.map(({ lease }) => lease))
  expect(stderr).toBe('')
  child.stdin.end()
  await exited
  asker.close()
  await stopCleanly(daemon)
})
