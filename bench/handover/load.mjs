// An open loop of HTTP requests to a loopback port: what is late is not waited for, nor caught up with in a burst of more than
// ten. Nothing is ever asked twice.

import { Agent, get } from 'node:http'
import { Http2Client } from './http2-client.mjs'

/** Connections of a keep-alive load, used in turn. */
const CONNECTIONS = 20
export const PATIENCE_MS = 60_000

/**
 * `kind`: 'new connections' | 'keep-alive' | 'http2'. Returns `requests`, each {at, took, error?} in ms of
 * performance.now(), added when it is over; `pending()`; and `stop()`, which resolves with `requests` when all are over.
 */
export function startLoad(port, rate, kind = 'new connections', patience = PATIENCE_MS) {
  const http1 = (keepAlive) => askHttp1(port, keepAlive, patience)
  const ask = { 'new connections': http1(false), 'keep-alive': http1(true), http2: askHttp2(port) }[kind]
  const requests = []
  const pending = new Set()
  const one = async () => {
    const request = { at: performance.now(), took: 0 }
    try {
      await ask.request()
    } catch (error) {
      request.error = error.code ?? error.message
    }
    request.took = performance.now() - request.at
    requests.push(request)
  }
  let due = performance.now()
  const timer = setInterval(() => {
    due = Math.max(due, performance.now() - 10_000 / rate)
    for (; due <= performance.now(); due += 1000 / rate) {
      const asked = one().finally(() => pending.delete(asked))
      pending.add(asked)
    }
  }, 1)
  return {
    requests,
    pending: () => pending.size,
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      ask.close()
      return requests
    },
  }
}

export const failed = (requests) => requests.filter(({ error }) => error !== undefined)

/** How often each error came. */
export function countErrors(requests) {
  const counts = {}
  for (const { error } of failed(requests)) counts[error] = (counts[error] ?? 0) + 1
  return counts
}

function askHttp1(port, keepAlive, timeout) {
  // Without one Node takes a global agent, which keeps connections alive.
  const agent = keepAlive ? new Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' }) : false
  const request = () =>
    new Promise((resolve, reject) => {
      const sent = get({ host: '127.0.0.1', port, agent, timeout }, (response) => {
        response.on('end', resolve).on('error', reject).resume()
      })
      sent.on('timeout', () => sent.destroy(new Error('no answer in time'))).on('error', reject)
    })
  return { request, close: () => keepAlive && agent.destroy() }
}

function askHttp2(port) {
  let client
  const request = async () => {
    if (!client || client.told) client = new Http2Client(port)
    if (!(await client.request())) throw new Error('not answered')
  }
  return { request, close: () => client?.close() }
}
