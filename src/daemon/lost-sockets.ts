// Sockets that cannot be had, because another process has their address: an unbound one keeps the place of each, nobody gets it, and
// the address is tried again each second, for as long as it takes.

import { lostMessage } from '../core/messages.ts'
import type { CoreEvent } from '../core/types.ts'
import { formatAddress } from '../protocol/address.ts'
import { AddressInUse, type BoundSocket, openSocket, unboundSocket } from '../sys/index.ts'
import { optionsFor } from './config/options-for.ts'
import type { Occurrence } from './history.ts'
import type { Log } from './log.ts'
import { adviceForLost } from './lost-advice.ts'
import type { RepairReports } from './repair-reports.ts'
import type { Replacements } from './replacements.ts'
import type { PlacedSocket, Sockets } from './sockets.ts'

const RETRY_MS = 1000
/** Each that is in use costs a search through /proc for its owner. */
const TRIES_AT_ONCE = 4

export interface LostHost {
  readonly sockets: Sockets
  readonly replacements: Replacements
  occurred(event: Occurrence): void
  step(event: CoreEvent): void
}

interface Reason {
  error: Error
  pid: number | undefined
}

export class LostSockets {
  private readonly host: LostHost
  private readonly reports: RepairReports
  private readonly log: Log
  private readonly reasons = new WeakMap<BoundSocket, Reason>()
  /** Those whose socket a holder had shut. */
  private readonly shut = new WeakSet<BoundSocket>()
  /** Names that the core has been told are lost, and why. */
  private readonly told = new Map<string, string>()
  /** To be tried yet before all are tried again. */
  private due: PlacedSocket[] = []
  private timer: NodeJS.Timeout | undefined

  constructor(host: LostHost, reports: RepairReports, log: Log) {
    this.host = host
    this.reports = reports
    this.log = log
  }

  /** Once this is the only broker. */
  begin(): void {
    for (const lost of [...this.host.sockets.unbound()]) this.bind(lost)
    this.settle()
    this.timer = setInterval(() => this.retry(), RETRY_MS).unref()
  }

  /** A socket that is of no use any more is closed, here and in the keeper. */
  giveUp(name: string, index: number, socket: BoundSocket): void {
    const stand = unboundSocket(socket.address)
    this.shut.add(stand)
    this.host.sockets.replace(name, index, stand).close()
    this.settle()
  }

  /** Other sockets are there than before: the core grants what has all of them, and makes wait who asks for one that has not. */
  settle(): void {
    const names = new Set([...this.host.sockets.unbound()].map(({ name }) => name))
    for (const name of [...this.told.keys()]) {
      if (names.has(name)) continue
      this.told.delete(name)
      this.host.step({ type: 'regained', name })
    }
    for (const name of names) {
      const why = this.why(name)
      if (this.told.get(name) === why) continue
      this.told.set(name, why)
      this.host.step({ type: 'lost', name, why })
    }
  }

  /** The process that has an address of the name. */
  who(name: string): { lostTo?: number } {
    const pid = this.reasonOf(name)?.pid
    return pid === undefined ? {} : { lostTo: pid }
  }

  /** Throws the reason where a name has not all of its sockets. */
  refuseLost(name: string): void {
    if (!this.host.sockets.hasUnbound(name)) return
    throw new AddressInUse(undefined, 'bind', lostMessage(name, this.why(name)))
  }

  private why(name: string): string {
    return adviceForLost(this.reasonOf(name)?.error)
  }

  private reasonOf(name: string): Reason | undefined {
    for (const lost of this.host.sockets.unbound()) {
      const reason = lost.name === name ? this.reasons.get(lost.socket) : undefined
      if (reason !== undefined) return reason
    }
    return undefined
  }

  private retry(): void {
    if (this.due.length === 0) this.due = [...this.host.sockets.unbound()]
    for (const lost of this.due.splice(0, TRIES_AT_ONCE)) if (!lost.socket.fd.closed) this.bind(lost)
    this.settle()
  }

  private bind({ name, index, socket, model }: PlacedSocket): void {
    const address = formatAddress(socket.address)
    try {
      const next = openSocket(socket.address, optionsFor(model, socket.address), model.backlog)
      this.host.replacements.replace(name, index, next)
      if (this.shut.has(socket)) return this.reports.repaired({ name, address, what: ['shutdown'], replaced: true })
      this.log.info({ name, address, cookie: next.cookie }, 'regained: the address was free, and is bound')
      this.host.occurred({ event: 'regained', at: Date.now(), name, address })
    } catch (error) {
      this.failed(name, address, socket, error as Error)
    }
  }

  private failed(name: string, address: string, socket: BoundSocket, error: Error): void {
    const pid = error instanceof AddressInUse ? error.owner?.pid : undefined
    const known = this.reasons.get(socket)
    this.reasons.set(socket, { error, pid })
    if (this.shut.has(socket) || (known !== undefined && known.pid === pid)) return
    this.log.error({ err: error, name, address, pid }, 'lost: the address cannot be had; it is tried again each second')
    if (known === undefined)
      this.reports.lost({ name, address, what: ['in use'], ...(pid !== undefined && { by: pid }) })
  }

  close(): void {
    clearInterval(this.timer)
  }
}
