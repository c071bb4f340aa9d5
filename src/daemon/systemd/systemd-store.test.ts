import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../../test/support/memory-store.ts'
import { createMemoryFile } from '../../sys/index.ts'
import type { Notices } from './notices.ts'
import { keyOfStored, SystemdStore, storedName } from './systemd-store.ts'

class Notes {
  readonly active = true
  readonly sent: string[] = []
  send(text: string): void {
    this.sent.push(text)
  }
}

describe('a descriptor that is retained', () => {
  const asNotices = (notes: Notes) => notes as unknown as Notices

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
    const store = new SystemdStore(keeper, asNotices(new Notes()), [{ name: '.web#0.anchor', fd: file.dup() }])
    for (const fd of store.take().get('web#0.anchor')!) fd.close()
    store.retain('web#0.anchor', [file.fd])
    expect([...keeper.kept.keys()]).toEqual(['web#0.anchor'])
    store.close()
  })
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
