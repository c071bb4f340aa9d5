// The sockets that a new configuration needs: which stay, which change, which are new. All that is new is opened here; nothing that
// serves is touched before the plan is carried out.

import { formatAddress } from '../../protocol/address.ts'
import { type BoundSocket, openSocket, openSuccessor, type Successor, type Takeover } from '../../sys/index.ts'
import type { NameModel } from '../config/model.ts'
import { optionsFor } from '../config/options-for.ts'
import type { KeptLeavingSocket } from '../kept-leaving.ts'
import { describeLeaving, setBack, stillThere } from './leaving-again.ts'
import { changeLive, needsNewSocket, type Settings } from './live-changes.ts'

/** A name's sockets now, in the order of `model.addresses`. */
export interface Current {
  model: NameModel
  sockets: readonly BoundSocket[]
}

export interface Leaving {
  name: string
  socket: BoundSocket
  replaced: boolean
  settings: Settings
}

interface Entry {
  name: string
  address: string
  settings: Settings
  socket: BoundSocket
  taken: boolean
  /** No name has it any more. */
  left?: KeptLeavingSocket
}

export class SocketPlan {
  /** What each name has afterwards. */
  readonly names = new Map<string, { model: NameModel; sockets: BoundSocket[] }>()
  private readonly entries: Entry[]
  private readonly fresh: BoundSocket[] = []
  /** `name`: who is to have it. */
  private readonly successors: { name: string; successor: Successor; entry: Entry }[] = []
  private readonly live: { entry: Entry; next: Settings }[] = []
  private readonly undo: (() => void)[] = []
  private readonly takeovers: Takeover[] = []
  private readonly left: readonly KeptLeavingSocket[]

  /** What `untouched` names have is nobody else's, whatever its address. `left`: what no name has any more and is there yet. */
  constructor(
    current: ReadonlyMap<string, Current>,
    untouched: readonly string[],
    left: readonly KeptLeavingSocket[] = [],
  ) {
    this.left = left
    const fixed = new Set(untouched)
    const others = [...current].filter(([name]) => !fixed.has(name))
    const own = others.flatMap(([name, { model, sockets }]) =>
      sockets.map((socket, at) => ({
        name,
        address: formatAddress(model.addresses[at]!),
        settings: settingsOf(model, at),
        socket,
        taken: false,
      })),
    )
    const again = left.flatMap((each) => {
      const settings = stillThere(each)
      const { name, socket } = each
      return settings
        ? [{ name, address: formatAddress(socket.address), settings, socket, taken: false, left: each }]
        : []
    })
    this.entries = [...own, ...again]
  }

  /** Opens what the names need. On a failure everything opened is closed, and the error names the name. */
  open(models: readonly NameModel[]): void {
    const opened = models.map((model) => ({
      model,
      sockets: new Array<BoundSocket | undefined>(model.addresses.length),
    }))
    try {
      for (const { model, sockets } of opened) this.keep(model, sockets)
      for (const { model, sockets } of opened) this.openMissing(model, sockets)
    } catch (error) {
      this.discard()
      throw error
    }
    for (const { model, sockets } of opened)
      this.names.set(model.core.name, { model, sockets: sockets as BoundSocket[] })
  }

  /** Its own socket of the same address, as it is or with other options. */
  private keep(model: NameModel, sockets: (BoundSocket | undefined)[]): void {
    for (const [at, address] of model.addresses.entries()) {
      const entry = this.take((each) => each.name === model.core.name && each.address === formatAddress(address))
      if (entry === undefined) continue
      if (entry.socket.unbound) {
        sockets[at] = entry.socket
        continue
      }
      const next = settingsOf(model, at)
      if (needsNewSocket(entry.settings, next) || (entry.left && !setBack(entry.left)))
        sockets[at] = this.succeed(model, entry, next)
      else {
        this.live.push({ entry, next })
        sockets[at] = entry.socket
      }
    }
  }

  private openMissing(model: NameModel, sockets: (BoundSocket | undefined)[]): void {
    for (const [at, address] of model.addresses.entries()) {
      if (sockets[at] !== undefined) continue
      const next = settingsOf(model, at)
      // An address that another name gives up is never free in between.
      const former = this.take(
        (each) => !each.socket.unbound && formatAddress(each.socket.address) === formatAddress(address),
      )
      sockets[at] = former === undefined ? this.openNew(model, at, next) : this.succeed(model, former, next)
    }
  }

  private openNew(model: NameModel, at: number, { options, backlog }: Settings): BoundSocket {
    const address = model.addresses[at]!
    const socket = explained(model, () =>
      describeLeaving(address, this.left, () => openSocket(address, options, backlog)),
    )
    this.fresh.push(socket)
    return socket
  }

  private succeed(model: NameModel, entry: Entry, { options, backlog }: Settings): BoundSocket {
    const { address } = entry.socket
    const left = entry.left ? [entry.left] : []
    const open = () => openSuccessor(entry.socket, options, backlog)
    const successor = explained(model, () => describeLeaving(address, left, open))
    this.successors.push({ name: model.core.name, successor, entry })
    return successor.socket
  }

  private take(wanted: (entry: Entry) => boolean): Entry | undefined {
    const entry = this.entries.find((each) => !each.taken && wanted(each))
    if (entry !== undefined) entry.taken = true
    return entry
  }

  /** `also` belongs to it. Throws with everything as it was, and all that was opened closed. */
  change(also: () => void, undoAlso: () => void): void {
    try {
      also()
      this.undo.push(undoAlso)
      for (const { entry, next } of this.live) {
        const undo = explainedName(entry.name, () => changeLive(entry.socket, entry.settings, next))
        if (undo !== undefined) this.undo.push(undo)
      }
      for (const { name, successor } of mostLikelyToFailFirst(this.successors)) {
        const takeover = explainedName(name, () => successor.takeOver())
        this.takeovers.push(takeover)
        this.undo.push(takeover.undo)
      }
    } catch (error) {
      throw this.takenBackFor(error as Error)
    }
  }

  /** Everything is as it was before change(), and all that was opened is closed. Returns the error, which says so where that failed. */
  takenBackFor(cause: Error, others: readonly string[] = []): Error {
    const failures = [...others, ...undoAll(this.undo)]
    this.discard()
    if (failures.length === 0) return cause
    return new Error(`${cause.message}; and what was done before could not be undone: ${failures.join('; ')}`, {
      cause,
    })
  }

  /** The names have their sockets: there is no way back from here. */
  settle(): void {
    for (const { settle } of this.takeovers) settle()
  }

  /** What no name has any more, of those that are still configured; a removed name keeps its own until it has drained. */
  leaving(): Leaving[] {
    const replaced = this.successors.map(({ entry }) => entry).filter(({ left }) => !left)
    const removed = this.entries.filter(({ taken, left, name }) => !taken && !left && this.names.has(name))
    const all = [
      ...replaced.map((entry) => ({ entry, replaced: true })),
      ...removed.map((entry) => ({ entry, replaced: false })),
    ]
    return all.map(({ entry: { name, socket, settings }, replaced }) => ({ name, socket, replaced, settings }))
  }

  /** Of those that had left, what a name has again. */
  takenBack(): { name: string; socket: BoundSocket }[] {
    return this.live.map(({ entry }) => entry).filter(({ left }) => left)
  }

  /** Of those that had left, what has a successor now. */
  superseded(): BoundSocket[] {
    return this.successors.filter(({ entry }) => entry.left).map(({ entry }) => entry.socket)
  }

  private discard(): void {
    for (const { successor } of this.successors) successor.socket.close()
    for (const socket of this.fresh) socket.close()
  }
}

/** A client who came to a port in between is lost when it is given back: only want of memory keeps one from being taken. */
function mostLikelyToFailFirst<T extends { successor: Successor }>(all: readonly T[]): T[] {
  const hasPath = ({ successor }: T) => 'path' in successor.socket.address
  return [...all.filter(hasPath), ...all.filter((each) => !hasPath(each))]
}

/** The last step first; what one comes to keeps no other from being undone. Returns why some were not. */
export function undoAll(steps: readonly (() => void)[]): string[] {
  return steps.toReversed().flatMap((undo) => {
    try {
      undo()
      return []
    } catch (error) {
      return [(error as Error).message]
    }
  })
}

function settingsOf(model: NameModel, at: number): Settings {
  return { options: optionsFor(model, model.addresses[at]!), backlog: model.backlog }
}

const explained = <T>(model: NameModel, act: () => T): T => explainedName(model.core.name, act)

function explainedName<T>(name: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw new Error(`[sockets.${name}]: ${(error as Error).message}`, { cause: error })
  }
}
