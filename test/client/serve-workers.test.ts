// serve() in processes of their own.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { type Broker, connect } from '../../src/client/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, startDaemon, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { ended } from '../support/sdk.ts'
import { ServeWorker } from '../support/serve-worker.ts'

forbidLeaks()

const SOCKETS = `
[sockets.web]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
[sockets.one]
listen = "tcp://127.0.0.1:0"
allow = ["any"]
mode = "exclusive"
`

async function start(): Promise<{ daemon: Daemon; broker: Broker; port(name: string): Promise<number> }> {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  const port = async (name: string) => {
    const view = (await broker.list()).find((each) => each.name === name)
    return Number(view!.sockets[0]!.address.split(':').at(-1))
  }
  return { daemon, broker, port }
}

function ask(port: number, path = '/'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      response.resume().on('error', reject)
      response.on('end', () => resolve(response.statusCode))
    })
    request.on('error', reject)
  })
}

/** Asks every `every` ms, and whatever happens, until stopped. */
function load(port: number, every: number): () => Promise<(number | undefined | string)[]> {
  const asked: Promise<number | undefined | string>[] = []
  const timer = setInterval(() => asked.push(ask(port).catch(String)), every)
  return () => {
    clearInterval(timer)
    return Promise.all(asked)
  }
}

for (const name of ['web', 'one']) {
  it(`hands ${name} over ten times under load: no request fails`, async () => {
    const { daemon, port } = await start()
    const workers = [new ServeWorker(daemon.control), new ServeWorker(daemon.control)]
    await workers[0]!.serve({ name })
    const stop = load(await port(name), 4)
    for (let at = 1; at <= 10; at++) {
      await workers[at % 2]!.serve({ name, takeover: true })
      expect(await workers[(at - 1) % 2]!.over()).toEqual({ reason: 'takeover', cut: 0 })
      await sleep(30)
    }
    const answers = await stop()
    expect(answers.length).toBeGreaterThan(20)
    expect(answers.filter((status) => status !== 200)).toEqual([])
  })
}

/** Until it has heard the first; two at once would be one. */
const catchesSigterm = (pid: number) => {
  const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]
  return (BigInt(`0x${caught}`) >> 14n) % 2n === 1n
}

it('drains on SIGTERM where signals are asked for, and a second one ends the process', async () => {
  const { daemon, port } = await start()
  const worker = new ServeWorker(daemon.control)
  await worker.serve({ name: 'web', signals: true })
  const answer = ask(await port('web'), '/?delay=200')
  await sleep(50)
  worker.process.kill('SIGTERM')
  expect(await answer).toBe(200)
  expect(await worker.over()).toEqual({ reason: 'SIGTERM', cut: 0 })
  await worker.serve({ name: 'web', signals: true })
  const cut = ended(ask(await port('web'), '/?delay=5000'))
  await sleep(50)
  worker.process.kill('SIGINT')
  await until(() => !catchesSigterm(worker.process.pid!), 'the first was heard')
  worker.process.kill('SIGTERM')
  expect(await once(worker.process, 'exit')).toEqual([null, 'SIGTERM'])
  expect(await cut).toMatchObject({ code: 'ECONNRESET' })
})

it('a first SIGTERM during a drain that the broker asked for cuts nothing, and a second one ends the process', async () => {
  const { daemon, broker, port } = await start()
  const serveAndDrain = async (delay: number) => {
    const worker = new ServeWorker(daemon.control)
    const lease = await worker.serve({ name: 'web', signals: true })
    const answer = ask(await port('web'), `/?delay=${delay}`).catch((error: unknown) => error)
    await sleep(50)
    await broker.drain({ lease })
    await expect.poll(async () => (await broker.holders()).map(({ state }) => state)).toEqual(['draining'])
    worker.process.kill('SIGTERM')
    await until(() => !catchesSigterm(worker.process.pid!), 'it was heard')
    return { worker, answer }
  }
  const stopped = await serveAndDrain(1000)
  expect(await stopped.answer).toBe(200)
  expect(await stopped.worker.over()).toEqual({ reason: 'admin', cut: 0 })
  stopped.worker.process.kill('SIGKILL')
  const { worker, answer } = await serveAndDrain(5000)
  worker.process.kill('SIGTERM')
  expect(await once(worker.process, 'exit')).toEqual([null, 'SIGTERM'])
  expect(await answer).toMatchObject({ code: 'ECONNRESET' })
})

it('tells a supervisor READY=1 and STOPPING=1 where notify is asked for', async () => {
  const { daemon, broker } = await start()
  // unix-dgram is optional, so the supervisor of this test is Python's.
  const path = `${daemon.directory}/notify.sock`
  const script = `import socket,sys
s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);s.bind(sys.argv[1]);print('bound',flush=True)
for _ in range(2): print(s.recv(99).decode(),flush=True)`
  const supervisor = spawn('python3', ['-c', script, path], { stdio: ['ignore', 'pipe', 'ignore'] })
  atEnd(() => void supervisor.kill())
  let heard = ''
  supervisor.stdout.setEncoding('utf8').on('data', (text) => {
    heard += text
  })
  await once(supervisor.stdout, 'data')
  const closed = once(supervisor, 'close')
  const worker = new ServeWorker(daemon.control, { NOTIFY_SOCKET: path })
  const lease = await worker.serve({ name: 'web', notify: true })
  await expect.poll(() => heard).toBe('bound\nREADY=1\n')
  await broker.drain({ lease })
  await worker.over()
  await closed
  expect(heard).toBe('bound\nREADY=1\nSTOPPING=1\n')
})
