// A client that asks once every few milliseconds, each time on a connection of its own, and never asks twice.

import net from 'node:net'

export interface Attempt {
  /** performance.now() at its start. */
  at: number
  answer?: string
  error?: string
}

const PATIENCE_MS = 10_000

/** Starts asking; the returned function stops, waits for the last answers, and tells how all of them went. */
export function askSteadily(port: number, everyMs: number): () => Promise<Attempt[]> {
  const attempts: Promise<Attempt>[] = []
  const timer = setInterval(() => attempts.push(ask(port)), everyMs)
  return () => {
    clearInterval(timer)
    return Promise.all(attempts)
  }
}

/** One HTTP/1.0 request; the answer is its body. */
export function ask(port: number): Promise<Attempt> {
  const at = performance.now()
  return new Promise((resolve) => {
    let text = ''
    let failure: string | undefined
    const socket = net.connect({ host: '127.0.0.1', port }, () => socket.write('GET / HTTP/1.0\r\n\r\n'))
    socket.setEncoding('utf8').setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer in time')))
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.once('error', (error: NodeJS.ErrnoException) => {
      failure = error.code ?? error.message
    })
    socket.once('close', () => {
      const body = /\r\n\r\n(\d+)\n$/.exec(text)?.[1]
      resolve(body === undefined ? { at, error: failure ?? 'closed without an answer' } : { at, answer: body })
    })
  })
}

/** A privileged loopback port that nobody has: 80 where it is free. */
export async function privilegedPort(): Promise<number> {
  for (let port = 80; port < 1024; port++) if (await isFree(port)) return port
  throw new Error('every privileged port is taken')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.createServer().once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
