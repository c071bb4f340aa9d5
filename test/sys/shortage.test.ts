// What is read from /proc with no descriptor left: nothing is said of the process, instead of that it has ended or is not there.

import { describe, expect, it } from 'vitest'
import { addon } from '../../src/sys/addon.ts'
import { openSocket } from '../../src/sys/listen.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { peerOf, processOf } from '../../src/sys/peer.ts'
import { watchProcess } from '../../src/sys/pidfd.ts'
import { mayLookInto, nameOf, parentOf } from '../../src/sys/proc.ts'
import { processFacts } from '../../src/sys/process-facts.ts'
import { socketPair } from '../../src/sys/socket-pair.ts'
import { atEnd } from '../support/cleanup.ts'
import { fillTable, withFullTable } from '../support/full-table.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython, until } from '../support/python.ts'

forbidLeaks()
endPythons()

const SHORT = expect.objectContaining({ name: 'SystemError', code: 'EMFILE' })
const { pid } = process
const uid = process.getuid!()

describe('with no descriptor left', () => {
  it('what takes one to read cannot be told of a process, which is said: its cgroup, its name, its parent', () => {
    using pidfd = new OwnedFd(addon.pidfdOpen(pid))
    withFullTable(() => {
      expect(() => processFacts({ pid, pidfd }, { exe: true, cgroup: true })).toThrow(SHORT)
      expect(processFacts({ pid, pidfd }, { exe: true, cgroup: false })).toHaveProperty('exe')
      expect(() => nameOf(pid)).toThrow(SHORT)
      expect(() => parentOf(pid)).toThrow(SHORT)
    })
  })

  it('nobody is taken for one whose descriptors we may see', () => {
    expect(mayLookInto(pid)).toBe(true)
    expect(withFullTable(() => mayLookInto(pid))).toBe(false)
  })

  it.each([0, 1])('with room for %i, a peer is not taken for one that is gone, and nothing is left open', (free) => {
    const [near, far] = socketPair('SOCK_SEQPACKET')
    atEnd(() => {
      near.close()
      far.close()
    })
    withFullTable(() => {
      expect(() => peerOf(near.fd, { identify: 'open' })).toThrow(SHORT)
      expect(() => processOf(pid, uid)).toThrow(SHORT)
    }, free)
  })

  it('the end of a process is told when it comes, not when it cannot be watched', async () => {
    const python = startPython(`say('up'); wait()`)
    await python.line()
    let ended = false
    const empty = fillTable()
    try {
      watchProcess(python.pid, () => {
        ended = true
      })
      await new Promise((resolve) => setTimeout(resolve, 20))
    } finally {
      empty()
    }
    expect(ended).toBe(false)
    python.write('')
    await python.exit()
    await until(() => ended)
  })

  it('an address that is in use is said to be so, and nothing is left open', () => {
    const address = { type: 'unix', path: `@fd-broker-short-${pid}` } as const
    const first = openSocket(address, {}, 1)
    atEnd(() => first.close())
    // One for the socket, none to look for who has the address.
    withFullTable(() => expect(() => openSocket(address, {}, 1)).toThrow('is in use by'), 1)
  })
})
