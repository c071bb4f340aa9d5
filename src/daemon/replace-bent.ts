// What a holder did to a socket that the kernel has no way back from — a shut Unix listener, a locked filter — ends with a new
// socket in its place.

import { formatAddress } from '../protocol/address.ts'
import { type BoundSocket, openSuccessor } from '../sys/index.ts'
import type { NameModel } from './config/model.ts'
import { optionsFor } from './config/options-for.ts'
import type { Log } from './log.ts'
import type { Replacements } from './replacements.ts'

export interface Bent {
  readonly name: string
  readonly index: number
  readonly socket: BoundSocket
  readonly model: NameModel
}

export function replaceBent(replacements: Replacements, log: Log, bent: Bent, what: string[]): void {
  const { name, index, socket, model } = bent
  const address = formatAddress(socket.address)
  try {
    const { socket: next, takeOver } = openSuccessor(socket, optionsFor(model, socket.address), model.backlog)
    takeOver()
    replacements.replace(name, index, next)
    log.warn({ name, address, what }, 'a holder changed the shared socket for good: it has a new one now')
  } catch (error) {
    log.error(
      { err: error, name, address, what },
      'a holder changed the shared socket for good, and no new one could be had',
    )
  }
}
