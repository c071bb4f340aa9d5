// TCP listeners that share a port by SO_REUSEPORT while one succeeds another. The kernel shares new connections out among them;
// a program tells it to give all to the youngest (socket(7), SO_ATTACH_REUSEPORT_CBPF). A handshake that the old one began stays
// with it.

import { addon, constants as c } from './addon.ts'
import type { OwnedFd } from './owned-fd.ts'

export interface Instruction {
  code: number
  jumpTrue?: number
  jumpFalse?: number
  k: number
}

const RETURN = 0x06

/** struct sock_filter is in the byte order of the machine. */
export function assemble(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8)
  for (const [at, { code, jumpTrue = 0, jumpFalse = 0, k }] of program.entries()) {
    bytes.set(new Uint8Array(Uint16Array.of(code).buffer), at * 8)
    bytes.set([jumpTrue, jumpFalse], at * 8 + 2)
    bytes.set(new Uint8Array(Uint32Array.of(k).buffer), at * 8 + 4)
  }
  return bytes
}

const groups = new WeakMap<OwnedFd, ReuseGroup>()

export class ReuseGroup {
  /** In the kernel's order: the place of one that leaves is filled by the last (reuseport_detach_sock). */
  private readonly members: OwnedFd[]
  private chosen: OwnedFd

  /** The group that a listener is in; before another one listens beside it, it is alone. */
  static of(fd: OwnedFd): ReuseGroup {
    const group = groups.get(fd) ?? new ReuseGroup(fd)
    groups.set(fd, group)
    return group
  }

  private constructor(first: OwnedFd) {
    this.members = [first]
    this.chosen = first
  }

  /** Whoever listens beside them from now on gets nothing. */
  hold(): void {
    this.steer()
  }

  /** `fd` has listened beside the others: every new connection is its own from now on. */
  prefer(fd: OwnedFd): void {
    groups.set(fd, this)
    this.members.push(fd)
    this.chosen = fd
    this.steer()
  }

  /** `fd` does not listen any more. */
  leave(fd: OwnedFd): void {
    groups.delete(fd)
    const at = this.members.indexOf(fd)
    if (at < 0) return
    const last = this.members.pop()!
    if (last !== fd) this.members[at] = last
    if (this.members.length > 1) this.steer()
    else this.release()
  }

  private steer(): void {
    const { chosen, members } = this
    if (chosen.closed) return
    const program = assemble([{ code: RETURN, k: members.indexOf(chosen) }])
    addon.attachCbpf(chosen.fd, c.SO_ATTACH_REUSEPORT_CBPF, program)
  }

  release(): void {
    if (!this.chosen.closed) addon.setsockopt(this.chosen.fd, c.SOL_SOCKET, c.SO_DETACH_REUSEPORT_BPF, 0)
  }
}

const LOAD_BYTE = 0x30
const AND = 0x54
const JUMP_IF_EQUAL = 0x15
const FLAGS_AT = 13
const SYN = 0x02
const ACK = 0x10

/**
 * The listener answers no new client, who asks again after a second (tcp_syn_retries); handshakes and connections that it has go on.
 * False where a filter is locked or refused.
 */
export function refuseNewcomers(fd: number): boolean {
  const program = assemble([
    { code: LOAD_BYTE, k: FLAGS_AT },
    { code: AND, k: SYN | ACK },
    { code: JUMP_IF_EQUAL, k: SYN, jumpTrue: 0, jumpFalse: 1 },
    { code: RETURN, k: 0 },
    { code: RETURN, k: 0xffff_ffff },
  ])
  return addon.attachCbpf(fd, c.SO_ATTACH_FILTER, program) === 0
}
