import { readlinkSync } from 'node:fs'
import { isAlive, type Peer } from './peer.ts'
import { readText, unlessGone } from './proc.ts'

export interface ProcessFacts {
  /** As /proc shows it: with ` (deleted)` when the file was replaced, so that a rule for the path no longer fits. */
  exe?: string
  /** The path in the cgroup v2 hierarchy. */
  cgroup?: string
  /** The systemd system unit. */
  unit?: string
}

/** Which of them are wanted: what is not is not read. A unit comes with the cgroup. */
export interface WantedFacts {
  exe: boolean
  cgroup: boolean
}

const units = /^[A-Za-z0-9:_.\\@-]+\.(service|socket|device|mount|automount|swap|target|path|timer|scope)$/
const slices = /^[A-Za-z0-9:_.\\@-]+\.slice$/

/** A leading `_` protects names that the kernel would take for its own files (cg_unescape). */
function unescapePart(part: string): string {
  return part.startsWith('_') ? part.slice(1) : part
}

/** systemd's cg_path_get_unit: past the slices, the first part is the unit. What lies below is the unit's own affair. */
export function unitOfCgroup(cgroup: string): string | undefined {
  const parts = cgroup.split('/').filter((part) => part !== '')
  const part = parts.find((one) => !slices.test(unescapePart(one)))
  const unit = part && unescapePart(part)
  return unit && units.test(unit) ? unit : undefined
}

/** docker-ID.scope, libpod-ID.scope, cri-containerd-ID.scope, /docker/ID, /kubepods/…/ID: an id is 64 hex digits, shown by its first 12. */
const containerId = /(?:^|[-:])([0-9a-f]{64})(?:\.scope)?$/
/** systemd-nspawn and LXC name their containers. */
const containerName = /^machine-(.+)\.scope$|^lxc\.payload\.(.+)$/

/** The innermost container that a cgroup belongs to, as its engine lists it. */
export function containerOfCgroup(cgroup: string): string | undefined {
  for (const part of cgroup.split('/').reverse()) {
    const id = containerId.exec(part)?.[1]
    if (id !== undefined) return id.slice(0, 12)
    const [, machine, lxc] = containerName.exec(part) ?? []
    const name = machine ?? lxc
    if (name !== undefined) return name.replace(/\\x2d/g, '-')
  }
  return undefined
}

export function parseCgroup(text: string): string | undefined {
  return /^0::(.*)$/m.exec(text)?.[1]
}

/** Arguments joined by blanks, with what could forge a line or a terminal's state written as \xNN. */
export function parseCommand(cmdline: string): string {
  return cmdline
    .replace(/\0+$/, '')
    .replaceAll('\0', ' ')
    .replace(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu, (character) => {
      const code = character.codePointAt(0)!
      return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
    })
}

/**
 * Read from /proc by number, and believed only if the process behind the pidfd still lives afterwards. Throws SystemError where /proc cannot be
 * read for want of descriptors or memory.
 */
export function processFacts(peer: Pick<Peer, 'pid' | 'pidfd'>, wanted: WantedFacts): ProcessFacts | undefined {
  const { pid, pidfd } = peer
  if (!pidfd || pidfd.closed || pid <= 0) return undefined
  const exe = wanted.exe ? unlessGone(() => readlinkSync(`/proc/${pid}/exe`)) : undefined
  const cgroup = wanted.cgroup ? parseCgroup(readText(`/proc/${pid}/cgroup`) ?? '') : undefined
  const unit = cgroup && unitOfCgroup(cgroup)
  if (!isAlive(pidfd)) return undefined
  return { ...(exe && { exe }), ...(cgroup && { cgroup }), ...(unit && { unit }) }
}
