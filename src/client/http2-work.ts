// What goes on in HTTP/2 sessions, and how they end (RFC 9113 §6.8): a GOAWAY with the highest stream id says "open no more",
// and only when the client has seen it, a second one says which stream was the last.
//
// Node's fact (20 to 26): after session.goaway(), whatever its id, nghttp2 silently ignores new streams, so the requests that are
// on their way then are never answered (nghttp2 has nghttp2_submit_shutdown_notice for this; Node does not call it). So the
// first GOAWAY is written to the descriptor, between two of Node's own writes. Inside TLS nobody but Node can write:
// there a session is served until it is idle, and told only then.
//
// Node's fact (nodejs/node#64113, CVE-2026-56848; in all of 20, mended in 22.23.2, 24.18.1 and 26.5.1): a request that is read after
// session.close() and before its GOAWAY is written is refused from within nghttp2's reading. That writes the GOAWAY, which frees the very
// stream that is being read, and the heap is corrupted. So close() comes only when a GOAWAY is out and nghttp2 hands over no new stream.

import { writeSync } from 'node:fs'
import type { ServerHttp2Session } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { within } from './abort.ts'
import { nextPoll } from './next-poll.ts'

/** GOAWAY on stream 0: last stream 2^31 - 1, NO_ERROR. */
const SHUTDOWN_NOTICE = Buffer.from('000008070000000000' + '7fffffff' + '00000000', 'hex')

const NO_ERROR = 0
const HIGHEST_STREAM = 2 ** 31 - 1

const RETRY = 5

interface Handle {
  fd: number
  writeQueueSize: number
}

export class Http2Work {
  readonly #sessions = new Map<ServerHttp2Session, { streams: number; since: number; leaving: boolean }>()
  #patience: number | undefined

  add(session: ServerHttp2Session): void {
    const state = { streams: 0, since: performance.now(), leaving: false }
    this.#sessions.set(session, state)
    session.once('close', () => this.#sessions.delete(session))
    session.on('stream', (stream) => {
      state.streams++
      stream.once('close', () => {
        state.streams--
        state.since = performance.now()
      })
    })
    if (this.#patience !== undefined) void this.#farewell(session, this.#patience)
  }

  /** Tells every client to open no more streams. `patience`: ms for those that do not answer. */
  dismiss(patience: number): void {
    this.#patience = patience
    for (const session of this.#sessions.keys()) void this.#farewell(session, patience)
  }

  /** Sessions without a stream since `since` (performance.now()) at least. */
  idle(since: number): number {
    return this.#idle(since).length
  }

  async closeIdle(since: number): Promise<void> {
    if (this.idle(since) === 0) return
    await nextPoll()
    for (const session of this.#idle(since)) void this.#leave(session)
  }

  /** Streams that are open are finished, new ones are told that they were not processed. */
  closeAll(): void {
    for (const session of this.#sessions.keys()) void this.#leave(session)
  }

  /** What is read until the GOAWAY is written is served yet. */
  async #leave(session: ServerHttp2Session): Promise<void> {
    const state = this.#sessions.get(session)
    if (!state || state.leaving || session.closed || session.destroyed) return
    state.leaving = true
    session.goaway(NO_ERROR, HIGHEST_STREAM)
    await nextPoll()
    while (session.state.outboundQueueSize! > 0) await sleep(RETRY)
    session.close()
  }

  #idle(since: number): ServerHttp2Session[] {
    return [...this.#sessions].filter(([, state]) => state.streams === 0 && state.since <= since).map(([each]) => each)
  }

  async #farewell(session: ServerHttp2Session, patience: number): Promise<void> {
    if (session.encrypted) return
    const until = performance.now() + patience
    const left = () => Math.max(0, until - performance.now())
    try {
      // The first round trip: the session's own preface is out, before which no other frame may be.
      await within(roundTrip(session), { timeout: left() })
      while (!writeNotice(session)) {
        if (left() === 0) break
        await sleep(RETRY)
      }
      await within(roundTrip(session), { timeout: left() })
    } catch {
      // It does not answer: then it is told what was processed, and no more.
    }
    await this.#leave(session)
  }
}

function roundTrip(session: ServerHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    if (session.destroyed || session.closed) return reject(new Error('the session is over'))
    session.ping((error) => (error ? reject(error) : resolve()))
  })
}

/** False when it cannot be written now: something of Node's waits to be written, and frames must not mix. */
function writeNotice(session: ServerHttp2Session): boolean {
  const { _handle: handle } = session.socket as unknown as { _handle: Handle | null }
  if (!handle || handle.writeQueueSize > 0) return false
  try {
    if (writeSync(handle.fd, SHUTDOWN_NOTICE) !== SHUTDOWN_NOTICE.length) session.destroy()
    return true
  } catch {
    return false
  }
}
