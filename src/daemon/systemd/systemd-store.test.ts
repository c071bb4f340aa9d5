import { describe, expect, it, vi } from 'vitest'
import { atEnd } from '../../../test/support/cleanup.ts'
import { forbidLeaks } from '../../../test/support/leaks.ts'
import { MemoryStore } from '../../../test/support/memory-store.ts'
import { addon, constants } from '../../sys/addon.ts'
import { createMemoryFile, NO_STORE, OwnedFd, SystemError } from '../../sys/index.ts'
import type { Notices } from './notices.ts'
import { keyOfStored, SystemdStore, storedName } from './systemd-store.ts'

forbidLeaks()

class Notes {
  readonly active = true
  readonly sent: string[] = []
  send(text: string): void {
    this.sent.push(text)
  }
}

const asNotices = (notes: Notes) => notes as unknown as Notices

describe('a descriptor that is retained', () => {
  it('is not handed to a keeper that has it, and is stored with systemd', () => {
    using keeper = new MemoryStore()
    using file = createMemoryFile('web')
    keeper.put('web#0', [file.fd])
    keeper.puts = 0
    const notes = new Notes()
    const store = new SystemdStore(keeper, asNotices(notes), [])
    for (const fd of store.take().get('web#0')!) fd.close()
    store.retain('web#0', [file.fd])
    expect([keeper.puts, notes.sent]).toEqual([0, ['FDSTORE=1\nFDNAME=web\nFDPOLL=0']])
    store.close()
  })

  it('is handed to a keeper that has it not: it came from systemd', () => {
    using keeper = new MemoryStore()
    using file = createMemoryFile('web')
    const store = new SystemdStore(keeper, asNotices(new Notes()), [{ name: 'web', fd: file.dup() }])
    for (const fd of store.take().get('web')!) fd.close()
    store.retain('web#0', [file.fd])
    expect([...keeper.kept.keys()]).toEqual(['web#0'])
    store.close()
  })
})

it('what is internal and came from systemd is the keeper’s under its own key, before anybody claims it', () => {
  using keeper = new MemoryStore()
  using file = createMemoryFile('control')
  // As a keeper does that systemd passed them.
  keeper.put('.listen/0/.control', [file.fd])
  keeper.put('.listen/1/web', [file.fd])
  keeper.put('.pid/1', [file.fd])
  const passed = ['.notify/abc', '.web#0.anchor'].map((name) => ({ name, fd: file.dup() }))
  const store = new SystemdStore(keeper, asNotices(new Notes()), passed)
  const taken = store.take()
  for (const fd of [...taken.values()].flat()) fd.close()
  store.settled()
  expect([...taken.keys()].sort()).toEqual(['.control', '.notify/abc', '.pid/1', 'web', 'web#0.anchor'])
  expect([...keeper.kept.keys()].sort()).toEqual(['.control', '.notify/abc', '.pid/1', 'web#0.anchor'])
  store.close()
})

it('what the new broker of an upgrade stores is systemd’s when that is the broker, and not before', () => {
  using file = createMemoryFile('state')
  const notes = new Notes()
  const passed = [{ name: '.state', fd: file.dup() }]
  const store = new SystemdStore(NO_STORE, asNotices(notes), passed, { held: true })
  for (const fd of store.take().get('.state')!) fd.close()
  store.put('.state', [file.fd])
  store.put('web#0', [file.fd])
  store.put('api#0', [file.fd])
  store.delete('api#0')
  expect(notes.sent).toEqual([])
  store.begin()
  const stored = (name: string) => `FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`
  const removed = (name: string) => `FDSTOREREMOVE=1\nFDNAME=${name}`
  expect(notes.sent).toEqual([removed('.state'), stored('.state'), stored('web'), removed('api')])
  store.put('web#1', [file.fd])
  expect(notes.sent.at(-1)).toBe(stored('web'))
  store.close()
})

describe('what there is no descriptor for a copy of', () => {
  /** Half of what is done is done already, and cannot be undone. */
  function stage() {
    vi.useFakeTimers()
    atEnd(() => void vi.useRealTimers())
    const keeper = new MemoryStore()
    const notes = new Notes()
    const store = new SystemdStore(keeper, asNotices(notes), [])
    const files = ['one', 'two'].map(createMemoryFile)
    atEnd(() => {
      store.close()
      keeper[Symbol.dispose]()
      for (const file of files) file.close()
    })
    return { store, notes, numbers: files.map(({ fd }) => fd) as [number, number] }
  }
  const shortly = (act: () => void) => {
    const dup = vi.spyOn(addon, 'dup').mockReturnValue(-constants.errno.EMFILE)
    act()
    dup.mockRestore()
  }
  /** The keeper has copies of its own. */
  const copying = (store: SystemdStore, key: string, fd: number) => shortly(() => store['copy'](key, [fd]))
  const stored = (name: string) => `FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`
  const removed = (name: string) => `FDSTOREREMOVE=1\nFDNAME=${name}`

  it('is stored later', () => {
    const { store, notes, numbers } = stage()
    copying(store, 'web#0', numbers[0])
    expect(notes.sent).toEqual([])
    vi.advanceTimersByTime(1000)
    expect(notes.sent).toEqual([stored('web')])
  })

  it('is not stored when it was deleted since', () => {
    const { store, notes, numbers } = stage()
    copying(store, 'web#0', numbers[0])
    store.delete('web#0')
    vi.advanceTimersByTime(5000)
    expect(notes.sent).toEqual([removed('web')])
  })

  it('is not stored when its number is another file’s by then', () => {
    const { store, notes, numbers } = stage()
    using file = createMemoryFile('three')
    const { fd } = file
    copying(store, 'web#0', fd)
    file.close()
    using other = new OwnedFd(addon.dup(numbers[1]))
    expect(other.fd).toBe(fd)
    vi.advanceTimersByTime(5000)
    expect(notes.sent).toEqual([])
  })

  it('leaves nothing that was stored before under its key', () => {
    const { store, notes, numbers } = stage()
    store.put('web#0', [numbers[0]])
    store.put('web#1', [numbers[0]])
    notes.sent.length = 0
    copying(store, 'web#0', numbers[1])
    expect(notes.sent).toEqual([removed('web'), stored('web')])
    vi.advanceTimersByTime(1000)
    expect(notes.sent.slice(2)).toEqual([stored('web')])
  })

  it('is sent again, with all of its name, when it could not be sent', () => {
    const { store, notes, numbers } = stage()
    const send = vi.spyOn(notes, 'send').mockImplementation((text) => {
      if (text.startsWith('FDSTORE=')) throw new SystemError(constants.errno.EMFILE, 'dup')
    })
    store.put('web#0', [numbers[0]])
    vi.advanceTimersByTime(3000)
    send.mockRestore()
    vi.advanceTimersByTime(1000)
    expect(notes.sent).toEqual([removed('web'), stored('web')])
  })
})

it('a connection that is handed on in an upgrade is the keeper’s alone', () => {
  using keeper = new MemoryStore()
  using file = createMemoryFile('connection')
  const notes = new Notes()
  const store = new SystemdStore(keeper, asNotices(notes), [])
  store.put('.conn/new/1', [file.fd])
  store.delete('.conn/new/1')
  expect([keeper.puts, keeper.kept.size, notes.sent]).toEqual([1, 0, []])
  store.close()
})

describe('the name under which systemd stores a descriptor', () => {
  it.each([
    ['web#0', 'web'],
    ['a/b@c#12', 'a/b@c'],
    ['.control', '.control'],
    ['.state', '.state'],
    ['.pid/17', '.pid/17'],
    ['web#0.anchor', '.web#0.anchor'],
    ['web', 'web'],
  ])('of %s is %s', (key, name) => {
    expect(storedName(key)).toBe(name)
  })

  it.each([
    ['web', 'web'],
    ['web.socket', 'web'],
    ['.control', '.control'],
    ['.web#0.anchor', 'web#0.anchor'],
  ])('%s comes back as %s', (name, key) => {
    expect(keyOfStored(name)).toBe(key)
  })
})
