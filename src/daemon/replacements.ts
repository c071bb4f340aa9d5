// What happens when a name has other sockets than before: its holders hear of it, and the old ones leave.

import { leasesOf, type Registry } from '../core/registry.ts'
import type { CoreEvent } from '../core/types.ts'
import { formatAddress } from '../protocol/address.ts'
import type { BoundSocket } from '../sys/index.ts'
import type { KeptDescriptors } from './kept-descriptors.ts'
import { KeptLeaving } from './kept-leaving.ts'
import { type LeavingSocket, LeavingSockets, waiting } from './leaving-sockets.ts'
import type { Log } from './log.ts'
import type { Lent } from './outbox.ts'
import type { Session } from './session.ts'
import type { Sockets } from './sockets.ts'
import type { Records } from './state/expected-options.ts'

/** What the broker lends to this part of it. */
export interface ReplacementHost {
  readonly registry: Registry
  readonly sockets: Sockets
  readonly kept: KeptDescriptors
  readonly state: Records
  readonly sessions: ReadonlyMap<number, Session>
  step(event: CoreEvent): void
}

type Old = Pick<LeavingSocket, 'socket' | 'replaced' | 'settings' | 'expected'>

export class Replacements {
  readonly leaving: LeavingSockets
  private readonly host: ReplacementHost
  private readonly log: Log

  /** `values`: of the state that the broker before has left. */
  constructor(host: ReplacementHost, log: Log, values: ReadonlyMap<string, unknown>) {
    this.host = host
    this.log = log
    const kept = new KeptLeaving(host.kept, host.state)
    const named = [...host.sockets.current().values()].flatMap(({ sockets }) => sockets)
    this.leaving = new LeavingSockets(kept, log, kept.restore(values, named))
  }

  /**
   * Puts `next`, which new clients come to already, in the place of a name's socket; the old one leaves. `settle`: once it has the place.
   * When it throws, nothing has changed, and `next` is closed.
   */
  replace(name: string, index: number, next: BoundSocket, settle = () => {}): void {
    const { sockets } = this.host
    const socket = sockets.current().get(name)!.sockets[index]!
    const old = [{ socket, replaced: true }]
    try {
      this.leave(name, old)
      sockets.replace(name, index, next)
    } catch (error) {
      this.leaving.takenBack(socket)
      throw error
    }
    settle()
    this.left(old)
    this.tellHolders(name)
  }

  /** The name is to have these no more, and has them still. */
  leave(name: string, old: readonly Old[]): void {
    const found = this.host.registry.names.get(name)
    const holders = found === undefined ? [] : [...leasesOf(found)].map(({ holder }) => holder.pid)
    const timeout = found?.config.drainTimeout ?? 0
    for (const each of old) if (!each.socket.unbound) this.leaving.add({ name, timeout, holders, ...each })
  }

  /** The name does not have these any more. */
  left(old: readonly { socket: BoundSocket }[]): void {
    for (const { socket } of old) {
      if (socket.unbound) socket.close()
      else this.leaving.left(socket)
    }
  }

  /** Holders with a connection get all of the name's sockets; a program that was given its descriptors at its start has to go. */
  tellHolders(name: string): void {
    const found = this.host.registry.names.get(name)
    // All of them, or none: they are told once the last one is there again.
    if (found === undefined || this.host.sockets.hasUnbound(name)) return
    const sockets = this.host.sockets.descriptions(name)
    const lent = this.host.sockets.lent(name)
    for (const { id, state, asked } of leasesOf(found)) {
      if (state === 'draining') continue
      if (asked.bind === 'process' || !this.tell(asked.connection, { event: 'replaced', lease: id, sockets }, lent))
        this.host.step({ type: 'drain', target: { lease: id } })
    }
  }

  /** A removed name has no holder any more: its sockets end, for whoever has a copy too. */
  retire(name: string): void {
    const { sockets = [] } = this.host.sockets.current().get(name) ?? {}
    const dropped = sockets.reduce((sum, socket) => sum + (waiting(socket) ?? 0), 0)
    this.log.info({ name, dropped }, 'removed name closed')
    this.host.sockets.end(name)
    for (const { address } of sockets) this.leaving.endAt(formatAddress(address))
  }

  private tell(connection: number, event: Record<string, unknown>, lent: Lent): boolean {
    const session = this.host.sessions.get(connection)
    if (session === undefined) return false
    try {
      session.tellList(event, 'sockets', lent)
      return true
    } catch (error) {
      this.log.warn(
        { err: error, pid: session.peer.pid },
        'the new descriptors could not be sent: the holder is drained',
      )
      return false
    }
  }

  close(): void {
    this.leaving.closeAll()
  }
}
