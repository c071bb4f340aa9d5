// TCP listeners that share a port by SO_REUSEPORT while one succeeds another. The kernel shares new connections out among them;
// a program tells it to give all to the youngest (socket(7), SO_ATTACH_REUSEPORT_CBPF). A handshake that the old one began stays
// with it.

import { addon, constants as c } from './addon.ts'
import type { OwnedFd } from './owned-fd.ts'
import { isPassing } from './passing-errors.ts'
import { SystemError } from './system-error.ts'

// struct sock_filter and its codes (linux/filter.h, linux/bpf_common.h).
const RETURN = 0x06
const LOAD_BYTE = 0x30
const JUMP_IF_BITS = 0x45

const TCP_FLAGS_OFFSET = 13
const SYN = 0x02
const WHOLE_PACKET = 0xffff_ffff

/** In the byte order of the machine: a jump says how many instructions are left out where it holds, and where it does not. */
function program(...instructions: readonly { code: number; jump?: [number, number]; k: number }[]): Uint8Array {
  const words = new Uint32Array(2 * instructions.length)
  for (const [at, { code, jump = [0, 0], k }] of instructions.entries()) {
    new Uint16Array(words.buffer, 8 * at, 1)[0] = code
    new Uint8Array(words.buffer, 8 * at + 2, 2).set(jump)
    words[2 * at + 1] = k
  }
  return new Uint8Array(words.buffer)
}

/** Picks the member at `index`. */
const pick = (index: number) => program({ code: RETURN, k: index })

/** The filter of a listener sees packets from their TCP header on. */
const DROP_SYNS = program(
  { code: LOAD_BYTE, k: TCP_FLAGS_OFFSET },
  { code: JUMP_IF_BITS, jump: [0, 1], k: SYN },
  { code: RETURN, k: 0 },
  { code: RETURN, k: WHOLE_PACKET },
)

const groups = new WeakMap<OwnedFd, ReuseGroup>()

export class ReuseGroup {
  /** In the kernel's order: the place of one that leaves is filled by the last (reuseport_detach_sock). */
  private readonly members: OwnedFd[]
  private chosen: OwnedFd

  /** The group that a listener is in; before another one listens beside it, it is alone. */
  static of(fd: OwnedFd): ReuseGroup {
    const group = groups.get(fd) ?? new ReuseGroup([fd], fd)
    groups.set(fd, group)
    return group
  }

  static isAlone(fd: OwnedFd): boolean {
    return (groups.get(fd)?.members.length ?? 1) === 1
  }

  /**
   * The group that a broker before has left, in the order in which it had them; undefined stands for one that the kernel does not
   * have any more. New connections are those of `chosen`.
   */
  static restore(order: readonly (OwnedFd | undefined)[], chosen: OwnedFd): void {
    const members = [...order]
    for (let at = members.indexOf(undefined); at >= 0; at = members.indexOf(undefined)) fillPlace(members, at)
    const group = new ReuseGroup(members as OwnedFd[], chosen)
    for (const member of group.members) groups.set(member, group)
    if (members.length > 1) group.steer()
    else group.release()
  }

  private constructor(members: OwnedFd[], chosen: OwnedFd) {
    this.members = members
    this.chosen = chosen
  }

  /** Its members, as the kernel has them. */
  get order(): readonly OwnedFd[] {
    return this.members
  }

  /**
   * Whoever listens beside them from now on gets nothing; false where a member's filter is locked, which binds us too. Throws where
   * memory is short.
   */
  hold(): boolean {
    return this.mustSteer()
  }

  /** The same, through one that listens beside them already. */
  holdThrough(newcomer: OwnedFd): void {
    this.mustSteer(newcomer)
  }

  /**
   * `fd` has listened beside the others: every new connection is its own from now on. Returns what gives them back to whose they were,
   * before `fd` is closed. Throws where memory is short, with nothing changed.
   */
  prefer(fd: OwnedFd): () => void {
    const former = this.chosen
    groups.set(fd, this)
    this.members.push(fd)
    this.chosen = fd
    const giveBack = () => {
      this.chosen = former
      this.remove(fd)
      this.steer()
    }
    try {
      this.mustSteer()
      return giveBack
    } catch (error) {
      giveBack()
      throw error
    }
  }

  /** `fd` does not listen any more. */
  leave(fd: OwnedFd): void {
    if (!this.remove(fd)) return
    if (fd === this.chosen) this.chosen = this.members.findLast(({ closed }) => !closed) ?? fd
    if (this.members.length > 1) this.steer()
    else this.release()
  }

  private remove(fd: OwnedFd): boolean {
    groups.delete(fd)
    const at = this.members.indexOf(fd)
    if (at < 0) return false
    fillPlace(this.members, at)
    return true
  }

  private mustSteer(through?: OwnedFd): boolean {
    const errno = this.steer(through)
    if (isPassing(errno)) throw new SystemError(errno, 'setsockopt SO_ATTACH_REUSEPORT_CBPF')
    return errno === 0
  }

  /** Any member may attach the program of all, unless its filter is locked. Returns 0, or why the first one could not. */
  private steer(through = this.chosen): number {
    const program = pick(this.members.indexOf(this.chosen))
    let why = 0
    for (const member of this.chosen.closed ? [] : [through, ...this.members]) {
      if (member.closed) continue
      const errno = -addon.attachCbpf(member.fd, c.SO_ATTACH_REUSEPORT_CBPF, program)
      if (errno === 0) return 0
      why ||= errno
    }
    return why || c.errno.EBADF
  }

  /**
   * For good: nobody will have the others in the place of the chosen one again. From the moment when one of three members ends until the program
   * knows the new places, the kernel shares newcomers out as it likes: one who came to a listener that nobody accepts from would wait
   * there for ever. This way his SYN is lost, and he sends it again a second later. A handshake under way goes on: it has no SYN any more.
   * Where a filter is locked, or needs a capability that is not there, the moment stays.
   */
  turnOthersAway(): void {
    for (const member of this.members) {
      if (member !== this.chosen && !member.closed) addon.attachCbpf(member.fd, c.SO_ATTACH_FILTER, DROP_SYNS)
    }
  }

  release(): void {
    if (!this.chosen.closed) addon.setsockopt(this.chosen.fd, c.SOL_SOCKET, c.SO_DETACH_REUSEPORT_BPF, 0)
  }
}

/** The last member fills the place of one that has left. */
function fillPlace<T>(members: T[], at: number): void {
  const last = members.pop()!
  if (at < members.length) members[at] = last
}

/** No interface has it. */
const NOWHERE = 0x7fff_ffff

/**
 * The listener gets no new client, who finds another listener of the port, or none; handshakes and connections that it has go on. Bound to
 * an interface that there is not, it is found by no packet but theirs (inet_lookup_listener); only CAP_NET_RAW can undo it.
 */
export function refuseNewcomers(fd: number): void {
  addon.setsockopt(fd, c.SOL_SOCKET, c.SO_BINDTOIFINDEX, NOWHERE)
}
