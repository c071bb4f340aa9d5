// A worker that takes a name's socket once and serves it from then on, whatever becomes of the broker.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { atEnd } from './cleanup.ts'

const sdk = new URL('../../dist/client/index.js', import.meta.url).href

const PROGRAM = `
import http from 'node:http'
import { connect } from ${JSON.stringify(sdk)}
const broker = connect({ socket: process.argv[1] })
const lease = await broker.acquire(process.argv[2], { ready: true })
const [fd] = lease.take()
http.createServer((_, response) => response.end(process.pid + '\\n')).listen({ fd }, 4096, () => console.log('serving'))
`

/** Answers each HTTP request with its pid. */
export async function startSteadyWorker(control: string, name: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, control, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'close')
  atEnd(async () => {
    child.kill('SIGKILL')
    await exited
  })
  await once(child.stdout!, 'data')
  return child
}
