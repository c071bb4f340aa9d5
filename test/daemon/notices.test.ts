// What the service manager is told, with a datagram socket in its place: in order, whole, however short its queue is.

import { fstatSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { pino } from 'pino'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Notices } from '../../src/daemon/systemd/notices.ts'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { createMemoryFile } from '../../src/sys/memory-file.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { receive, receivedBytes } from '../../src/sys/receive.ts'
import { check } from '../../src/sys/system-error.ts'
import { atEnd } from '../support/cleanup.ts'
import { temporaryDirectory, until } from '../support/daemon.ts'
import { fillTable, withFullTable } from '../support/full-table.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

/** More than any queue of the kernel's default length takes (net.unix.max_dgram_qlen). */
const MANY = 600

let warnings: string[] = []
const log = pino({}, { write: (line: string) => void warnings.push(JSON.parse(line).msg) })
beforeEach(() => {
  warnings = []
})

class Manager {
  readonly path = `${temporaryDirectory()}/notify`
  readonly #socket = new OwnedFd(check(addon.socket(c.AF_UNIX, c.SOCK_DGRAM | c.SOCK_NONBLOCK, 0), 'socket'))

  constructor() {
    check(addon.bind(this.#socket.fd, c.AF_UNIX, this.path, 0), 'bind')
    atEnd(() => this.close())
  }

  get fd(): number {
    return this.#socket.fd
  }

  /** What waits, one text for each, with the inodes of what came along. */
  read(most = MANY): string[] {
    const texts: string[] = []
    while (texts.length < most) {
      const { result, fds } = receive(this.#socket.fd, 4096)
      if (result < 0) break
      const inodes = fds.map((fd) => fstatSync(fd.fd).ino)
      for (const fd of fds) fd.close()
      texts.push([Buffer.from(receivedBytes(result)).toString(), ...inodes].join(' '))
    }
    return texts
  }

  close(): void {
    this.#socket.close()
  }
}

function noticesTo(path: string): Notices {
  const notices = new Notices({ NOTIFY_SOCKET: path }, log)
  atEnd(() => notices.close())
  return notices
}

describe('notices', () => {
  it('wait for begin(), and then come in order', () => {
    const manager = new Manager()
    const notices = noticesTo(manager.path)
    notices.send('READY=1')
    notices.send('STATUS=one')
    expect(manager.read()).toEqual([])
    notices.begin()
    notices.send('STATUS=two')
    expect(manager.read()).toEqual(['READY=1', 'STATUS=one', 'STATUS=two'])
  })

  it('are none without NOTIFY_SOCKET: nothing is copied, and sent() is over at once', async () => {
    const notices = new Notices({}, log)
    using file = createMemoryFile('test')
    notices.send('FDSTORE=1', [file.fd])
    notices.begin()
    expect(notices.active).toBe(false)
    await notices.sent()
    expect(warnings).toEqual([])
  })

  it('bring their descriptors, also when the sender closes its own before they are sent', () => {
    const manager = new Manager()
    const notices = noticesTo(manager.path)
    const file = createMemoryFile('test')
    const { ino } = fstatSync(file.fd)
    notices.send('FDSTORE=1\nFDNAME=web', [file.fd, file.fd])
    file.close()
    notices.begin()
    expect(manager.read()).toEqual([`FDSTORE=1\nFDNAME=web ${ino} ${ino}`])
  })

  it('wait while the queue is full: none is lost, none overtakes another, and sent() waits for the last', async () => {
    const manager = new Manager()
    const notices = noticesTo(manager.path)
    notices.begin()
    using file = createMemoryFile('test')
    const { ino } = fstatSync(file.fd)
    const told = Array.from({ length: MANY }, (_, at) => (at % 3 === 0 ? `N=${at} ${ino}` : `N=${at}`))
    for (const [at] of told.entries()) notices.send(`N=${at}`, at % 3 === 0 ? [file.fd] : [])
    const heard = manager.read(5)
    let over = false
    const sent = notices.sent().then(() => {
      over = true
    })
    expect(over).toBe(false)
    await until(() => heard.push(...manager.read(7)) === MANY, 'all of them')
    await sent
    expect(heard).toEqual(told)
    expect(warnings).toEqual([])
  })

  it('keep their order whoever is faster, whatever brings descriptors', async () => {
    const turn = fc.oneof(
      fc.record({ tell: fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }) }),
      fc.record({ read: fc.integer({ min: 1, max: 20 }) }),
    )
    const property = fc.asyncProperty(fc.array(turn, { maxLength: 12 }), async (turns) => {
      const manager = new Manager()
      const notices = noticesTo(manager.path)
      notices.begin()
      using file = createMemoryFile('test')
      const { ino } = fstatSync(file.fd)
      const told: string[] = []
      const heard: string[] = []
      for (const one of turns) {
        if ('read' in one) heard.push(...manager.read(one.read))
        else
          for (const brings of one.tell) {
            notices.send(`N=${told.length}`, brings ? [file.fd] : [])
            told.push(brings ? `N=${told.length} ${ino}` : `N=${told.length}`)
          }
        await new Promise(setImmediate)
      }
      await until(() => heard.push(...manager.read()) === told.length, 'all of them')
      expect(heard).toEqual(told)
      notices.close()
      manager.close()
    })
    await fc.assert(property, { numRuns: 20 })
  })

  it('are sent with a full descriptor table, too: one descriptor is kept for that', () => {
    const manager = new Manager()
    const notices = noticesTo(manager.path)
    using file = createMemoryFile('test')
    const { ino } = fstatSync(file.fd)
    notices.begin()
    // For the copy.
    const empty = fillTable(1)
    try {
      notices.send('FDSTORE=1', [file.fd])
      for (let i = 0; i < 3; i++) notices.send('WATCHDOG=1')
    } finally {
      empty()
    }
    expect(manager.read()).toEqual([`FDSTORE=1 ${ino}`, 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1'])
  })

  it('wait where not even that one could be had: none is lost, none overtakes another, and that is said once', async () => {
    const manager = new Manager()
    const notices = withFullTable(() => noticesTo(manager.path))
    using file = createMemoryFile('test')
    const { ino } = fstatSync(file.fd)
    notices.send('FDSTORE=1', [file.fd])
    const empty = fillTable()
    try {
      notices.begin()
      notices.send('READY=1')
      await sleep(20)
    } finally {
      empty()
    }
    notices.send('STOPPING=1')
    expect(manager.read()).toEqual([])
    await notices.sent()
    expect(manager.read()).toEqual([`FDSTORE=1 ${ino}`, 'READY=1', 'STOPPING=1'])
    expect(warnings).toEqual(['the service manager cannot be told all now; it is tried again'])
  })

  it('that cannot be stored now let the others pass, and keep their own order', async () => {
    const manager = new Manager()
    const notices = noticesTo(manager.path)
    using file = createMemoryFile('test')
    const { ino } = fstatSync(file.fd)
    notices.begin()
    // So many descriptors are on their way (unix(7)).
    vi.spyOn(addon, 'sendTo').mockReturnValue(-c.errno.ETOOMANYREFS)
    notices.send('FDSTORE=1', [file.fd])
    notices.send('FDSTOREREMOVE=1')
    notices.send('WATCHDOG=1')
    await until(() => check(addon.poll(manager.fd, c.POLLIN), 'poll') !== 0, 'the watchdog hears')
    vi.restoreAllMocks()
    expect(manager.read()).toEqual(['WATCHDOG=1'])
    await notices.sent()
    expect(manager.read()).toEqual([`FDSTORE=1 ${ino}`, 'FDSTOREREMOVE=1'])
  })

  it('of the status and of the watchdog wait at most once each: the last is what counts', () => {
    const manager = new Manager()
    const notices = noticesTo(manager.path)
    for (const state of [
      'READY=1\nSTATUS=0',
      'STATUS=1',
      'WATCHDOG=1',
      'RELOADING=1',
      'STATUS=2',
      'WATCHDOG=1',
      'READY=1',
    ])
      notices.send(state)
    notices.send('STATUS=3')
    notices.begin()
    expect(manager.read()).toEqual(['READY=1\nSTATUS=0', 'STATUS=3', 'WATCHDOG=1', 'RELOADING=1', 'READY=1'])
  })

  it('that nobody takes are lost, which is said once, and later ones are sent', async () => {
    const manager = new Manager()
    const gone = noticesTo(`${manager.path}.gone`)
    gone.begin()
    gone.send('READY=1')
    gone.send('STATUS=x')
    await gone.sent()
    expect(warnings).toEqual(['the service manager cannot be told; see NOTIFY_SOCKET'])
  })

  it('that wait at close() are dropped with their descriptors', () => {
    const manager = new Manager()
    const notices = noticesTo(manager.path)
    using file = createMemoryFile('test')
    notices.send('FDSTORE=1', [file.fd])
    notices.close()
    notices.begin()
    expect(manager.read()).toEqual([])
  })
})
