import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, it, vi } from 'vitest'
import { Session } from '../../src/daemon/session.ts'
import { encode } from '../../src/protocol/encode.ts'
import { addon, constants } from '../../src/sys/addon.ts'
import { socketPair } from '../../src/sys/index.ts'
import { atEnd } from '../support/cleanup.ts'
import { until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()
afterEach(() => void vi.restoreAllMocks())

/** A session whose every request is refused, and what became of it; the other end of its connection. */
function refusing() {
  const [near, far] = socketPair('SOCK_SEQPACKET')
  const told: string[] = []
  const host = {
    request: (session: Session, id: number) => session.refuse(id, 'SYSTEM', 'x'),
    refusing: () => told.push('refused'),
    closed: () => told.push('closed'),
    protocolError: () => told.push('malformed'),
  }
  const peer = { pid: process.pid, uid: process.getuid!(), gid: process.getgid!(), groups: [] }
  const session = new Session(1, near, { ...peer, pidfd: undefined, identity: undefined }, 1, host)
  atEnd(async () => {
    session.close()
    far.close()
    await turn()
  })
  return { told, far }
}

it.each([
  ['of a good packet', { id: 1, op: 'hello' }, ['refused', 'closed']],
  ['of one that is malformed', { id: 1, op: 'list' }, ['malformed', 'refused', 'closed']],
])(
  'a refusal %s that the kernel does not let through costs that peer its connection, and nobody else anything',
  async (_, request, expected) => {
    const { told, far } = refusing()
    expect(addon.send(far.fd, encode(request), null)).toBeGreaterThan(0)
    // As a security module may.
    vi.spyOn(addon, 'send').mockReturnValue(-constants.errno.EACCES)
    await until(() => told.includes('closed'), 'it is closed')
    expect(told).toEqual(expected)
  },
)
