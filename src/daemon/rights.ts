// Who may do what: the config's rules against what the kernel says of a peer at the moment of asking.

import { mayAcquire, missingFrom, needs } from '../core/policy.ts'
import { formatCondition } from '../core/rule-text.ts'
import type { Peer as JudgedPeer, Rule } from '../core/types.ts'
import { isShort } from '../sys/index.ts'
import type { Config } from './config/model.ts'
import type { Processes } from './processes.ts'
import type { Session } from './session.ts'
import { tokensOf } from './tokens.ts'

/** Admins may do what viewers may; what `any` may do is decided per name. */
export type Right = 'any' | 'viewer' | 'admin'

const NO_TOKENS: readonly string[] = []

type Needs = ReturnType<typeof needs>

/** An event is one packet (REPLY_MAX), however many rules there are, and however long the paths in them. */
const MISSING_MOST = 32
const RULE_TEXT_MAX = 512

/** Whoever asks for a right that depends on what is in /proc is told by a SystemError when that cannot be read for want of descriptors or memory. */
export class Rights {
  private readonly config: Config
  private readonly processes: Processes
  private readonly needs = new WeakMap<readonly Rule[], Needs>()

  constructor(config: Config, processes: Processes) {
    this.config = config
    this.processes = processes
  }

  isAdmin(session: Session): boolean {
    return this.satisfies(this.config.broker.admins, session)
  }

  /** False also where it cannot be said. */
  isSurelyAdmin(session: Session): boolean {
    try {
      return this.isAdmin(session)
    } catch (error) {
      if (!isShort(error)) throw error
      return false
    }
  }

  has(session: Session, right: Right): boolean {
    if (right === 'any' || session.admin) return true
    return right === 'viewer' && this.satisfies(this.config.broker.viewers, session)
  }

  satisfies(rules: readonly Rule[], session: Session): boolean {
    return mayAcquire(rules, this.judged(rules, session))
  }

  /** What stands between the peer and each of the rules, in the words of the config. Nothing is told where it cannot be said. */
  missing(rules: readonly Rule[], session: Session, userOf: (uid: number) => string): string[] {
    const missing = this.missingRules(rules, session).slice(0, MISSING_MOST)
    const texts = missing.map((rule) => rule.map((condition) => formatCondition(condition, userOf)).join(' '))
    return texts.map((text) => (text.length > RULE_TEXT_MAX ? `${text.slice(0, RULE_TEXT_MAX)}…` : text))
  }

  private missingRules(rules: readonly Rule[], session: Session): Rule[] {
    try {
      return missingFrom(rules, this.judged(rules, session))
    } catch (error) {
      if (!isShort(error)) throw error
      return []
    }
  }

  /** Reads /proc only when a rule asks for what is there. */
  private judged(rules: readonly Rule[], { peer, process, token }: Session): JudgedPeer {
    const wanted = this.needsOf(rules)
    const tokens = token === undefined ? NO_TOKENS : tokensOf(token, this.config.tokens)
    const judged = { pid: peer.pid, uid: peer.uid, gid: peer.gid, groups: peer.groups, tokens }
    return wanted.exe || wanted.cgroup ? { ...this.processes.facts(process, wanted), ...judged } : judged
  }

  private needsOf(rules: readonly Rule[]): Needs {
    const known = this.needs.get(rules)
    if (known !== undefined) return known
    const found = needs(rules)
    this.needs.set(rules, found)
    return found
  }
}
