// A client that sends whatever bytes a test likes, and keeps what comes back.

import { unpack } from 'msgpackr'
import { Channel, type OwnedFd } from '../../src/sys/index.ts'
import { atEnd } from './cleanup.ts'
import { packet, value } from './msgpack.ts'

export interface Received {
  message: Record<string, unknown>
  fds: readonly OwnedFd[]
}

export class RawClient {
  readonly channel: Channel
  readonly received: Received[] = []
  closed = false
  private wake: () => void = () => {}

  constructor(path: string) {
    this.channel = Channel.connect(path, {
      message: (bytes, { fds }) => {
        this.received.push({ message: unpack(bytes) as Record<string, unknown>, fds })
        this.wake()
      },
      close: () => {
        this.closed = true
        this.wake()
      },
    })
    atEnd(() => this.close())
  }

  close(): void {
    for (const { fds } of this.received) for (const fd of fds) fd.close()
    this.channel.close()
  }

  send(bytes: Uint8Array, fds?: readonly number[]): void {
    this.channel.send(bytes, fds)
  }

  /** Sends a request by the tests’ own encoder. */
  request(id: number, op: string, args: Record<string, unknown> = {}): void {
    this.send(requestBytes(id, op, args))
  }

  hello(id = 0): Promise<Received> {
    this.request(id, 'hello', { version: 1 })
    return this.next()
  }

  /** The next message, in order; fails when the connection ends or nothing comes in time. */
  async next(ms = 5000): Promise<Received> {
    const end = Date.now() + ms
    while (this.received.length === 0) {
      if (this.closed) throw new Error('the connection ended')
      if (Date.now() >= end) throw new Error('no message came')
      await this.change(end)
    }
    return this.received.shift()!
  }

  /** Sends a request and returns its answer, whatever other messages come before it. */
  async ask(id: number, op: string, args: Record<string, unknown> = {}): Promise<Received> {
    this.request(id, op, args)
    for (;;) {
      const next = await this.next()
      if (next.message['id'] === id) return next
      for (const fd of next.fds) fd.close()
    }
  }

  /** True once the broker has closed the connection. */
  async ended(ms = 5000): Promise<boolean> {
    for (const end = Date.now() + ms; !this.closed && Date.now() < end; ) await this.change(end)
    return this.closed
  }

  private change(end: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, end - Date.now())
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

export function requestBytes(id: number, op: string, args: Record<string, unknown> = {}): Uint8Array {
  return packet(value({ id, op, ...args }))
}
