// One control connection: packets in, answers out. It knows the rules of the connection (hello first, what closes it, ids in
// flight, one packet with descriptors at a time); what a verb means is in verbs.ts.

import type { ConnectionId, HolderInfo, ProcessKey } from '../core/types.ts'
import { decodeRequest } from '../protocol/decode.ts'
import { encode, encodeParts } from '../protocol/encode.ts'
import { encodeLists } from '../protocol/encode-lists.ts'
import { ERRORS, type ErrorCode } from '../protocol/errors.ts'
import { IN_FLIGHT_MAX, REQUEST_MAX } from '../protocol/limits.ts'
import { LongAnswer } from '../protocol/long-answer.ts'
import { Channel, type Credentials, type MessageInfo, type OwnedFd, type Peer } from '../sys/index.ts'
import { type Lent, Outbox } from './outbox.ts'
import { inSlices } from './slices.ts'

export interface SessionHost {
  /** A request that is well formed as a packet; the host answers it through the session, now or later. */
  request(session: Session, id: number, body: Record<string, unknown>, floats: readonly string[]): void
  closed(session: Session): void
  /** Told of every refusal before it is sent; `asked` is the request as it came, unchecked. */
  refusing(session: Session, asked: Record<string, unknown>, code: ErrorCode, message: string): void
  protocolError(session: Session, fault: string): void
}

export class Session {
  readonly id: ConnectionId
  readonly peer: Peer
  readonly process: ProcessKey
  greeted = false
  /** Set by the host: exempt from quotas, and may use every verb. */
  admin = false
  /** Set by the host before it closes a peer that does not read. */
  cutOff = false
  /** Set by the host while it is counted among its uid's connections. */
  counted = false
  /** Set by the host: it is one too many, and its first request is answered with that. */
  turnedAway = false
  /** What its leases say of it, once the host has made it. */
  holder: HolderInfo | undefined
  /** SHA-256 of the secret that came with hello. */
  token: Buffer | undefined
  client: string | undefined
  /** Leases of before a restart of the broker that its hello listed. */
  reclaims: readonly number[] = []
  closed = false
  helloTimer: NodeJS.Timeout | undefined
  private readonly channel: Channel
  private readonly outbox: Outbox
  /** Requests that wait for their answer, as they came; the one that is being handled is none of them yet: most are answered at once. */
  private readonly inFlight = new Map<number, Record<string, unknown>>()
  private handled: { id: number; body: Record<string, unknown> } | undefined
  private readonly host: SessionHost

  constructor(id: ConnectionId, fd: OwnedFd, peer: Peer, process: ProcessKey, host: SessionHost) {
    this.id = id
    this.peer = peer
    this.process = process
    this.host = host
    this.channel = new Channel(
      fd,
      {
        message: (bytes, info) => this.packet(bytes, info),
        close: () => this.ended(),
        sendFailed: () => this.close(),
      },
      { receiveLimit: REQUEST_MAX, acceptFds: false },
    )
    this.outbox = new Outbox(this.channel)
  }

  private packet(bytes: Uint8Array, info: MessageInfo): void {
    const request = decodeRequest(bytes, info.truncated)
    if (info.strayFds > 0 || info.controlTruncated) {
      return this.malformed(request.id, 'descriptors are not taken here')
    }
    if ('fault' in request) return this.malformed(request.id, request.fault)
    const { id, body, floats } = request
    if (this.inFlight.has(id)) return this.malformed(id, `the id ${id} is in flight already`)
    if (!this.greeted && body['op'] !== 'hello') return this.malformed(id, 'the first request must be hello')
    this.handled = { id, body }
    const { credentials } = info
    if (!isSame(credentials, this.peer)) {
      return this.refuse(id, 'DENIED', 'this connection was made by another process or user: make one of your own')
    }
    if (this.inFlight.size >= IN_FLIGHT_MAX) {
      return this.refuse(id, 'LIMIT', `at most ${IN_FLIGHT_MAX} requests of one connection may wait for their answer`)
    }
    this.host.request(this, id, body, floats)
    if (this.handled === undefined) return
    this.inFlight.set(id, body)
    this.handled = undefined
  }

  /** A request of that id has its answer now. Answers the request, as it came. */
  private settle(id: number): Record<string, unknown> {
    if (this.handled?.id === id) {
      const { body } = this.handled
      this.handled = undefined
      return body
    }
    const body = this.inFlight.get(id) ?? {}
    this.inFlight.delete(id)
    return body
  }

  private malformed(id: number | undefined, fault: string): void {
    this.host.protocolError(this, fault)
    if (id === undefined) {
      this.host.refusing(this, {}, 'PROTOCOL', fault)
      return this.close()
    }
    this.refuse(id, 'PROTOCOL', `malformed packet: ${fault}`)
  }

  answer(id: number, body: Record<string, unknown>): void {
    this.settle(id)
    this.outbox.send(encode(answerOf(id, body)))
  }

  /** An answer whose array `key` may need several packets. `lent`: one descriptor per entry, until this returns. */
  answerList(id: number, body: Record<string, unknown>, key: string, lent?: Lent): void {
    this.settle(id)
    for (const part of encodeParts(answerOf(id, body), key, lent !== undefined)) {
      this.outbox.send(part.bytes, lent && sliceOf(lent, part))
    }
  }

  /**
   * A long answer without descriptors, of which `key` is the array: others are served between slices of it. Each item is asked for
   * when its turn comes.
   */
  async answerInSlices(id: number, body: Record<string, unknown>, key: string, items: Iterable<object>): Promise<void> {
    const answer = new LongAnswer({ id, ok: true, ...body }, key)
    await inSlices(this.whileOpen(items), (item) => answer.add(item))
    await inSlices(this.whileOpen(answer.end()), (bytes) => this.outbox.send(bytes))
    this.settle(id)
  }

  private *whileOpen<Item>(items: Iterable<Item>): Generator<Item> {
    for (const item of items) {
      if (this.closed) return
      yield item
    }
  }

  /** An answer of several lists, in as many packets as it takes. */
  answerLists(id: number, lists: Record<string, readonly unknown[]>): void {
    this.settle(id)
    for (const bytes of encodeLists({ id, ok: true }, lists)) this.outbox.send(bytes)
  }

  /** Never throws: this is what is left to do when all else has failed. A peer that cannot be told is of no use. */
  refuse(id: number, code: ErrorCode, message: string, details: Record<string, unknown> = {}): void {
    this.host.refusing(this, this.settle(id), code, message)
    try {
      this.outbox.send(encode({ id, ok: false, code, message, ...details }))
    } catch {
      return this.close()
    }
    if (ERRORS[code].closes) this.dismiss()
  }

  /** An event with descriptors, as answerList(): one for each entry of the array `key`, lent until this returns. */
  tellList(event: Record<string, unknown>, key: string, lent: Lent): void {
    for (const part of encodeParts(event, key, true)) this.outbox.send(part.bytes, sliceOf(lent, part))
  }

  tell(event: object): void {
    this.outbox.send(encode(event))
  }

  /** A peer that does not read: too much is queued for it, or nothing of it moved for too long. `now`: performance.now(). */
  stuck(now: number): boolean {
    return this.outbox.stuck(now)
  }

  close(): void {
    this.channel.close()
  }

  /** Closes so that the peer gets what was sent last. */
  dismiss(): void {
    this.channel.discardAndClose()
  }

  /** Reads nothing before thaw(); what the peer sends waits in its socket. */
  freeze(): void {
    this.channel.pauseReading()
  }

  thaw(): void {
    this.channel.resumeReading()
  }

  /** Nothing of it is known but whether it said hello, and nothing is due to it. */
  get isPlain(): boolean {
    const { token, reclaims, inFlight, channel, closed } = this
    const idle = inFlight.size === 0 && channel.queuedBytes === 0
    return !closed && !channel.closed && idle && token === undefined && reclaims.length === 0
  }

  get fd(): number {
    return this.channel.fd
  }

  /** The last word to a peer that is to connect again. `end` may end the connection itself, of which others have copies. */
  farewell(event: object, end: () => void): void {
    if (this.channel.closed) return
    this.tell(event)
    end()
    this.channel.discardAndClose()
  }

  private ended(): void {
    if (this.closed) return
    this.closed = true
    clearTimeout(this.helloTimer)
    this.outbox.close()
    this.host.closed(this)
  }
}

/** A spread after other keys is several times slower in V8. */
function answerOf(id: number, body: Record<string, unknown>): Record<string, unknown> {
  const answer: Record<string, unknown> = { id, ok: true }
  for (const key in body) answer[key] = body[key]
  return answer
}

/**
 * SO_PEERCRED has the effective ids of who connected, SCM_CREDENTIALS the real ones of who writes: they differ when a connection was
 * inherited or passed on, when its process gave up a user since, and in a set-user-ID program.
 */
function isSame(sender: Credentials | undefined, { pid, uid, gid }: Peer): boolean {
  return sender !== undefined && sender.pid === pid && sender.uid === uid && sender.gid === gid
}

function sliceOf(lent: Lent, { from, to }: { from: number; to: number }): Lent {
  const { fds, cookies } = lent
  if (from === 0 && to === fds.length) return lent
  return { fds: fds.slice(from, to), cookies: cookies.subarray(from, to) }
}
