// A worker. It is told over IPC, and says {said: 'granted' | 'serving' | 'drain' | 'over' | 'failed', at, …}, `at` in nanoseconds
// of CLOCK_MONOTONIC, the same clock for all processes. It ends with whoever started it.
//
// {do: 'serve'} acquires `name` ('web') with generation, takeover, wait (-1: for ever), serves it and gives it back on a drain. And:
//   kind: 'http' | 'http2'   drainTimeout, signals, notify: as serve() takes them   again: acquires again, in the line, when it was drained
//   abrupt: closes idle connections the moment it is drained, as most programs do: a control
//   busy: keeps a processor busy from now on, with a look at the event loop each 5 ms
//   ready: 'told'      is ready only when told {do: 'ready'}; 'unheard': then does not listen; 'never': hangs; 'crash': exits 1
//   leave: 'told'      on a drain stops accepting, and gives back only when told {do: 'leave'}
//
// {do: 'watch', pid} says {said: 'watching'}, then {said: 'ended'} when that process has ended.

import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../dist/client/index.js'
import { ExitSet, ProcessWatch, processOf } from '../../dist/sys/index.js'

const broker = connect()
const BODY = 'x'.repeat(100)

/** Nobody hears it when the parent has gone. */
const say = (said, details = {}) => {
  if (process.connected) process.send({ said, at: String(process.hrtime.bigint()), ...details }, () => {})
}
const told = (what) =>
  new Promise((resolve) => {
    const listen = (command) => {
      if (command.do !== what) return
      process.off('message', listen)
      resolve()
    }
    process.on('message', listen)
  })

function answer(request, response) {
  const delay = Number(new URL(request.url, 'http://host').searchParams.get('delay') ?? 0)
  if (delay > 0) setTimeout(() => response.end(BODY), delay)
  else response.end(BODY)
}

function keepBusy() {
  for (const end = performance.now() + 5; performance.now() < end; );
  setImmediate(keepBusy)
}

async function serve({ again, busy, ...options }) {
  if (busy) keepBusy()
  for (let turn = options; turn; turn = again && { ...options, takeover: false, generation: undefined, wait: -1 }) {
    const { name = 'web', wait = 10_000, generation, takeover = false } = turn
    const wants = { takeover, ...(generation && { generation }), wait: wait < 0 ? Number.POSITIVE_INFINITY : wait }
    const lease = await broker.acquire(name, wants)
    say('granted', { lease: lease.id, generation: lease.generation })
    lease.on('drain', ({ reason }) => say('drain', { lease: lease.id, reason }))
    const result = await serveLease(lease, turn)
    await lease.release()
    say('over', { lease: lease.id, result })
  }
}

async function serveLease(lease, { kind, abrupt, ready, leave, drainTimeout, signals, notify }) {
  if (ready === 'crash') process.exit(1)
  if (ready === 'never') return await once(lease, 'ended')
  if (ready === 'told' || ready === 'unheard') await told('ready')
  const server = kind === 'http2' ? createHttp2(answer) : createHttp(answer)
  const left = leave === 'told' ? told('leave') : undefined
  if (abrupt || left || ready) return await serveByHand(lease, server, { silent: ready === 'unheard', left, abrupt })
  const done = lease.serve(server, { drainTimeout, signals, notify })
  const serving = setInterval(() => {
    if (lease.state === 'granted') return
    clearInterval(serving)
    if (lease.state === 'ready') say('serving', { lease: lease.id, generation: lease.generation })
  }, 1)
  return await done.finally(() => clearInterval(serving))
}

async function serveByHand(lease, server, { silent, left, abrupt }) {
  const drained = once(lease, 'drain')
  const sessions = new Set()
  server.on('session', (session) => sessions.add(session.on('error', () => {})))
  if (!silent) await lease.listen(server)
  const { promoted } = await lease.ready()
  say('serving', { lease: lease.id, generation: lease.generation, promoted })
  const [{ reason }] = await drained
  if (abrupt) {
    for (const session of sessions) void closeAtOnce(session)
    server.close()
  }
  await left
  return { reason, cut: 0 }
}

/** Without a notice and the time to hear it. Not close() alone: it can crash Node 20 (nodejs/node#64113). */
async function closeAtOnce(session) {
  if (session.destroyed) return
  session.goaway(0, 2 ** 31 - 1)
  do await sleep(1)
  while (session.state.outboundQueueSize > 0)
  session.close()
}

function watch({ pid }) {
  const watched = new ProcessWatch(processOf(pid, process.getuid()).pidfd, new ExitSet(), () => {
    say('ended')
    watched.close()
  })
  say('watching')
}

process.on('message', (command) => {
  if (command.do === 'watch') watch(command)
  if (command.do !== 'serve') return
  serve(command).catch(({ code, message }) => say('failed', { code, message }))
})
process.on('disconnect', () => process.exit(0))
say('started')
