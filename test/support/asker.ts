// A connection of this process with the broker, for tests that care about answers and not about packets.

import type { OwnedFd } from '../../src/sys/index.ts'
import { RawClient, type Received } from './raw-client.ts'

export type Message = Record<string, unknown>

export class Asker {
  readonly client: RawClient
  private nextId = 1

  private constructor(control: string) {
    this.client = new RawClient(control)
  }

  static async connect(control: string): Promise<Asker> {
    const asker = new Asker(control)
    await asker.client.hello()
    return asker
  }

  /** The answer; its descriptors are closed. */
  async ask(op: string, args: Message = {}): Promise<Message> {
    const { message, fds } = await this.received(op, args)
    for (const fd of fds) fd.close()
    return message
  }

  /** The answer with its descriptors, which the caller owns. */
  received(op: string, args: Message = {}): Promise<Received> {
    return this.client.ask(this.nextId++, op, args)
  }

  /** Every part of an answer; the caller owns the descriptors. */
  async parts(op: string, args: Message = {}): Promise<Received[]> {
    const parts = [await this.received(op, args)]
    while (parts.length < Number(parts[0]!.message['parts'] ?? 1)) parts.push(await this.client.next())
    return parts
  }

  /** Sends without waiting; the answer comes by `next`. */
  send(op: string, args: Message = {}): void {
    this.client.request(this.nextId++, op, args)
  }

  /** The next message, answer or event. */
  async next(ms?: number): Promise<Message> {
    const { message, fds } = await this.client.next(ms)
    for (const fd of fds) fd.close()
    return message
  }

  /** A lease of this connection. */
  async lease(name: string, args: Message = {}): Promise<number> {
    const { lease, code, message } = await this.ask('acquire', { name, ...args })
    if (typeof lease !== 'number') throw new Error(`${code}: ${message}`)
    return lease
  }

  close(): void {
    this.client.close()
  }
}

export function closeAll(fds: readonly OwnedFd[]): void {
  for (const fd of fds) fd.close()
}
