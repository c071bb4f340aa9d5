// One connection to a broker: requests out, answers matched by id, events to the leases. It ends once, with one error, which
// every request in flight and every lease gets.

import { decodeMessage } from '../protocol/decode.ts'
import { encode } from '../protocol/encode.ts'
import { BrokerError } from '../protocol/errors.ts'
import { PROTOCOL_VERSION, REPLY_MAX } from '../protocol/limits.ts'
import { type Op, type Requests, shapeFault } from '../protocol/messages.ts'
import { Channel, type ChannelHandlers, type MessageInfo, type OwnedFd } from '../sys/index.ts'
import { type Limits, watchLimits } from './abort.ts'
import { type Answer, closeAll, type Message, Parts } from './answers.ts'
import { brokerReplaced, connectionLost, noAnswer, refusal } from './failures.ts'
import { InFlight } from './in-flight.ts'
import { assertTrusted, type SocketPath } from './socket-path.ts'

/** What a lease hears from its connection: whole events. Their descriptors are the sink's. */
export interface LeaseSink {
  onEvent(event: Answer): void
  onLost(error: BrokerError): void
}

export interface RequestOptions extends Omit<Limits, 'late'> {
  /** Takes the answer before any later packet is looked at, so that no event of a new lease is missed. */
  answered?: ((answer: Answer) => void) | undefined
  /** The process need not stay alive for it. */
  background?: boolean
  /** Takes the answer that comes after the caller gave up. Default: its descriptors are closed. */
  unwanted?: ((answer: Answer) => void) | undefined
}

/** What `hello` tells the broker. */
export interface Introduction {
  client?: string | undefined
  token?: string | undefined
  /** Leases of before that are reclaimed next. */
  leases?: number[] | undefined
}

const WHATEVER_FITS = { receiveLimit: REPLY_MAX, acceptFds: true }

export class Connection {
  readonly path: string
  /** Why it is over; undefined while it lives. */
  ended: BrokerError | undefined
  /** The broker said that another one takes its place: it is there already. */
  replaced = false
  /** The broker has answered `hello`. */
  welcomed = false
  /** Runs once, when it is over. */
  onEnd: () => void = () => {}
  /** Hears every event that is about no lease of this connection. */
  onNews: (message: Message) => void = () => {}
  readonly #channel: Channel
  readonly #leases = new Map<number, LeaseSink>()
  /** Of events that are not whole yet, by the lease. */
  readonly #parts = new Map<number, Parts>()
  readonly #inFlight: InFlight

  /** Throws SystemError, or CLOSED when an impostor listens there. Waits for nothing: `hello` goes with what follows. */
  static open(where: SocketPath, introduction: Introduction): Connection {
    const connection = new Connection(where.path, (handlers) => Channel.connect(where.path, handlers, WHATEVER_FITS))
    try {
      assertTrusted(connection.#channel.peerUid, where)
    } catch (error) {
      connection.#channel.close()
      throw error
    }
    connection.#hello(introduction)
    return connection
  }

  /** Owns `socket` from now on, whose other end needs no `hello`. */
  static over(socket: OwnedFd, path: string): Connection {
    return new Connection(path, (handlers) => new Channel(socket, handlers, WHATEVER_FITS))
  }

  private constructor(path: string, open: (handlers: ChannelHandlers) => Channel) {
    this.path = path
    const channel = open({
      message: (bytes, info) => this.#take(bytes, info),
      close: (cause) => this.#end(connectionLost(path, cause)),
    })
    channel.unref()
    this.#channel = channel
    this.#inFlight = new InFlight((any) => (any ? channel.ref() : channel.unref()))
  }

  /** Resolves with an answer whose `ok` is true; its descriptors are the caller's. Rejects with BrokerError or the signal's reason. */
  request<O extends Op>(op: O, args: Requests[O], options: RequestOptions = {}): Promise<Answer> {
    const { signal, timeout, answered, unwanted, background = false } = options
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.ended) return Promise.reject(this.ended)
    // A malformed request would cost the connection, and with it every lease.
    const fault = shapeFault(op, args, [])
    if (fault !== undefined) return Promise.reject(new BrokerError('INVALID', fault))
    return new Promise((resolve, reject) => {
      const fail = (error: unknown) => {
        endWatch()
        reject(error)
      }
      const answer = (whole: Answer) => {
        const refused = refusal(whole)
        if (refused) {
          closeAll(whole.fds)
          return fail(refused)
        }
        endWatch()
        answered?.(whole)
        resolve(whole)
      }
      const giveUp = (reason: unknown) => {
        this.#inFlight.abandon(id, (late) => (unwanted && !refusal(late) ? unwanted(late) : closeAll(late.fds)))
        reject(reason)
      }
      const id = this.#inFlight.add({ answer, fail, awaited: !background })
      const endWatch = watchLimits({ signal, timeout, late: () => noAnswer(this.path, op, timeout ?? 0) }, giveUp)
      this.#channel.send(encode({ id, op, ...args }))
    })
  }

  /** Whether the process stays alive for it while no request is in flight; not at first. */
  keepAlive(wanted: boolean): void {
    if (!this.ended) this.#inFlight.count(wanted ? 1 : -1)
  }

  attach(lease: number, sink: LeaseSink): void {
    this.#leases.set(lease, sink)
  }

  detach(lease: number): void {
    this.#leases.delete(lease)
    this.#dropParts(lease)
  }

  /** Ends it, and with it every lease that was taken on it. */
  close(error: BrokerError): void {
    this.#end(error)
  }

  /** Asks for nothing more; resolves when the broker has taken note and closed, so that all it said before has been heard. */
  finish(): Promise<void> {
    if (this.ended) return Promise.resolve()
    this.#channel.ref()
    this.#channel.endSending()
    return new Promise((resolve) => {
      const { onEnd } = this
      this.onEnd = () => {
        onEnd()
        resolve()
      }
    })
  }

  #hello(introduction: Introduction): void {
    const answer = (whole: Answer) => {
      closeAll(whole.fds)
      const refused = refusal(whole)
      if (refused) this.#end(refused)
      else this.welcomed = true
    }
    const id = this.#inFlight.add({ answer, fail: () => {}, awaited: false })
    this.#channel.send(encode({ id, op: 'hello', version: PROTOCOL_VERSION, ...introduction }))
  }

  #take(bytes: Uint8Array, info: MessageInfo): void {
    const fds = [...info.fds]
    let heard: (() => void) | undefined
    try {
      const message = decodeMessage(bytes, info.truncated)
      heard = this.#deliver({ message, fds, fdsLost: info.controlTruncated })
    } catch (fault) {
      closeAll(fds)
      const text = `the broker at ${this.path} does not keep to the protocol: ${(fault as Error).message}`
      this.#end(new BrokerError('PROTOCOL', text, { cause: fault }))
    }
    heard?.()
  }

  /** An answer has an id, an event has none. Returns what remains to be done, and is none of the broker's doing. */
  #deliver(packet: Answer): (() => void) | undefined {
    const { id, event, lease } = packet.message
    if (typeof id === 'number') {
      this.#inFlight.take(id, packet)
      return undefined
    }
    if (typeof event !== 'string') throw new Error('a packet is neither an answer nor an event')
    if (event === 'reconnect') {
      this.replaced = true
      return () => this.#end(brokerReplaced(this.path))
    }
    const sink = this.#leases.get(lease as number)
    if (sink) {
      const whole = this.#whole(lease as number, packet)
      return whole && (() => sink.onEvent(whole))
    }
    return () => {
      closeAll(packet.fds)
      this.onNews(packet.message)
    }
  }

  /** Others may come between the parts of an event. */
  #whole(lease: number, packet: Answer): Answer | undefined {
    if (packet.message.part === undefined) return packet
    const parts = this.#parts.get(lease) ?? new Parts()
    this.#parts.set(lease, parts)
    const whole = parts.add(packet)
    if (whole) this.#parts.delete(lease)
    return whole
  }

  #dropParts(lease: number): void {
    this.#parts.get(lease)?.close()
    this.#parts.delete(lease)
  }

  #end(error: BrokerError): void {
    if (this.ended) return
    this.ended = error
    this.#channel.close()
    this.#inFlight.failAll(error)
    for (const lease of this.#parts.keys()) this.#dropParts(lease)
    for (const sink of this.#leases.values()) sink.onLost(error)
    this.#leases.clear()
    this.onEnd()
  }
}
