// Control connections over an upgrade. One that has no lease and waits for no answer is the same to either broker: a copy of it goes to the
// new one, which answers what the old one has not read. All others, and those that asked nothing, are told to connect again.

import { endSocket, type OwnedFd, readiness, watchProcess } from '../sys/index.ts'
import type { Broker } from './broker.ts'
import type { KeptDescriptors } from './kept-descriptors.ts'
import type { Session } from './session.ts'

const KEY = '.conn/'
/** Each takes some microseconds of the time in which the broker stands still. */
const MOST = 512

export class OpenConnections {
  private readonly broker: Broker
  private readonly kept: KeptDescriptors
  private readonly shared = new Map<Session, string>()

  constructor(broker: Broker, kept: KeptDescriptors) {
    this.broker = broker
    this.kept = kept
  }

  /** The old broker, which reads nothing any more. */
  share(): void {
    const bound = new Set([...this.broker.registry.leases.values()].map(({ asked }) => asked.connection))
    for (const session of this.broker.sessions.values()) {
      if (this.shared.size >= MOST) return
      if (bound.has(session.id) || this.broker.subscribers.has(session) || !session.isPlain) continue
      const key = `${KEY}${session.greeted ? 'greeted' : 'new'}/${session.id}`
      this.kept.store.put(key, [session.fd])
      this.shared.set(session, key)
    }
  }

  /** The old broker goes on. */
  unshare(): void {
    for (const key of this.shared.values()) this.kept.store.delete(key)
    this.shared.clear()
  }

  /** The old broker ends: what is unread is the new one's to answer. */
  leave(): void {
    for (const session of [...this.broker.sessions.values()]) {
      if (this.shared.has(session) && readiness(session.fd).readable) continue
      const fd = session.fd
      session.farewell({ event: 'reconnect' }, () => endSocket(fd))
    }
  }

  /** The new broker: takes what was left, as soon as `former` is over. */
  takeOver(former: number): void {
    const copies = this.claimAll()
    const take = () => {
      for (const { fd, greeted } of copies) {
        if (readiness(fd.fd).over) fd.closeLater()
        else this.broker.accept(fd, greeted)
      }
    }
    watchProcess(former, take)
  }

  private claimAll(): { fd: OwnedFd; greeted: boolean }[] {
    const keys = this.kept.keys().filter((key) => key.startsWith(KEY))
    return keys.flatMap((key) => {
      this.kept.store.delete(key)
      return this.kept.claim(key).map((fd) => ({ fd, greeted: key.startsWith(`${KEY}greeted`) }))
    })
  }
}
