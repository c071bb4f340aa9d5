// A worker for takeovers.mjs and for the tests of serve(): serves again and again, as its parent says over IPC.
// In: {name, kind: 'http' | 'http2', takeover, drainTimeout, signals, notify, abrupt}.
// Out: {serving: lease}, then {over: lease, result}; a path with `?delay=MS` is answered so much later.
// `abrupt`: what most programs do on a drain, for a control run.

import { createServer as createHttp } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../dist/client/index.js'

const broker = connect()
const BODY = 'x'.repeat(100)

function answer(request, response) {
  const delay = Number(new URL(request.url, 'http://host').searchParams.get('delay') ?? 0)
  if (delay > 0) setTimeout(() => response.end(BODY), delay)
  else response.end(BODY)
}

function closeAtOnce(lease, server, sessions) {
  return new Promise((resolve) => {
    lease.once('drain', ({ reason }) => {
      for (const session of sessions) session.close()
      server.close()
      resolve({ reason, cut: 0 })
    })
  })
}

async function serve({ name, kind, takeover, abrupt, ...options }) {
  const server = kind === 'http2' ? createHttp2(answer) : createHttp(answer)
  const sessions = new Set()
  const lease = await broker.acquire(name, { takeover, wait: 10_000 })
  let done
  if (abrupt) {
    server.on('session', (session) => {
      sessions.add(session)
      session.on('error', () => {})
    })
    done = closeAtOnce(lease, server, sessions)
    await lease.listen(server)
    await lease.ready()
  } else {
    done = lease.serve(server, options)
    while (lease.state === 'granted') await sleep(1)
  }
  process.send({ serving: lease.id })
  const result = await done
  await lease.release()
  process.send({ over: lease.id, result })
}

process.on('message', (command) => {
  serve(command).catch((error) => process.send({ failed: String(error) }))
})
