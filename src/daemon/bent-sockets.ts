// What a holder did to a socket that the kernel has no way back from — a shut Unix listener, a locked filter — ends with a new
// socket in its place. Where none can be had while a holder keeps the old one, the name is lost until it can.

import { formatAddress } from '../protocol/address.ts'
import { type BoundSocket, isPassing, openSuccessor, SystemError } from '../sys/index.ts'
import { optionsFor } from './config/options-for.ts'
import type { Log } from './log.ts'
import { adviceForBroken } from './lost-advice.ts'
import type { LostSockets } from './lost-sockets.ts'
import type { RepairReports } from './repair-reports.ts'
import type { Replacements } from './replacements.ts'
import type { PlacedSocket } from './sockets.ts'

export type Bent = PlacedSocket

/** A holder that shuts each new socket as it comes costs a socket and a message so often, and no more. */
const APART_MS = 250

export class BentSockets {
  private readonly lost: LostSockets
  private readonly replacements: Replacements
  private readonly reports: RepairReports
  private readonly log: Log
  private readonly replacedAt = new Map<string, number>()
  /** Socket and name of those that have no successor. */
  private readonly without = new Map<BoundSocket, string>()

  constructor(lost: LostSockets, replacements: Replacements, reports: RepairReports, log: Log) {
    this.lost = lost
    this.replacements = replacements
    this.reports = reports
    this.log = log
  }

  /** Called again each second while the socket is as it is. Throws for want of descriptors or memory: nothing is lost for that. */
  replace(bent: Bent, what: readonly string[]): void {
    const { name, index, socket } = bent
    const key = `${name}#${index}`
    const now = performance.now()
    if (now - (this.replacedAt.get(key) ?? -APART_MS) < APART_MS) return
    this.replacedAt.set(key, now)
    const address = formatAddress(socket.address)
    try {
      this.succeed(bent, () => this.reports.repaired({ name, address, what, replaced: true }))
      this.without.delete(socket)
    } catch (error) {
      if (error instanceof SystemError && isPassing(error.errno)) throw error
      this.fail(bent, address, what, error)
    }
  }

  /** Another takes its place, or nothing has changed. `tell`: before holders hear of it. */
  private succeed({ name, index, socket, model }: Bent, tell: () => void): void {
    const successor = openSuccessor(socket, optionsFor(model, socket.address), model.backlog)
    let undo = () => successor.socket.close()
    try {
      const takeover = successor.takeOver()
      undo = takeover.undo
      tell()
      this.replacements.replace(name, index, successor.socket, () => {
        undo = () => {}
        takeover.settle()
      })
    } catch (error) {
      undo()
      throw error
    }
  }

  private fail({ name, socket }: Bent, address: string, what: readonly string[], error: unknown): void {
    if (this.without.has(socket)) return
    this.without.set(socket, name)
    this.log.error(
      { err: error, name, address, what, ...this.reports.suspects(name) },
      `lost: a holder broke the socket; ${adviceForBroken(error)}`,
    )
    this.reports.lost({ name, address, what })
  }

  /**
   * Nobody holds the name any more: the old socket, which was found broken a moment ago, is given up, and its address is bound again once
   * the kernel has let go of it. Where it cannot be, it stays as it is for another call.
   */
  giveUp({ name, index, socket }: Bent): void {
    if (this.without.has(socket)) this.lost.giveUp(name, index, socket)
  }

  /** It is as it should be. */
  mended(socket: BoundSocket): void {
    this.without.delete(socket)
  }

  /** It is closed. */
  forget(socket: BoundSocket): void {
    this.without.delete(socket)
  }

  isLost(name: string): boolean {
    for (const lost of this.without.values()) if (lost === name) return true
    return false
  }
}
