import { fstatSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { KeptDescriptors } from '../../src/daemon/kept-descriptors.ts'
import { createMemoryFile } from '../../src/sys/index.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { MemoryStore } from '../support/memory-store.ts'

forbidLeaks()

/** A store that has a file under each of these keys. */
function storeOf(...keys: string[]): MemoryStore {
  const store = new MemoryStore()
  for (const key of keys) {
    using file = createMemoryFile(key)
    store.put(key, [file.fd])
  }
  return store
}

describe('what a store gave back', () => {
  it('is claimed once', () => {
    using store = storeOf('web#0', 'api#0')
    const kept = new KeptDescriptors(store)
    const [fd, ...others] = kept.claim('web#0')
    expect(fstatSync(fd!.fd).ino).toBe(fstatSync(store.kept.get('web#0')![0]!.fd).ino)
    expect([others, kept.claim('web#0'), kept.claim('none')]).toEqual([[], [], []])
    expect(kept.keys()).toEqual(['api#0'])
    fd!.close()
    kept.close()
  })

  it('can be given back by who has no use for it, and claimed by another; what is empty is not there', () => {
    using store = storeOf('web')
    const kept = new KeptDescriptors(store)
    const fds = kept.claim('web')
    kept.giveBack('web', fds)
    expect(kept.claim('web')).toBe(fds)
    kept.giveBack('web', [])
    expect(kept.keys()).toEqual([])
    for (const fd of fds) fd.close()
  })

  it('and nobody wants is closed here and in the store, and told of', () => {
    using store = storeOf('web#0', 'api#0')
    const kept = new KeptDescriptors(store)
    for (const fd of kept.claim('web#0')) fd.close()
    expect(kept.dropRest()).toEqual(['api#0'])
    expect([...store.kept.keys()]).toEqual(['web#0'])
    expect(kept.keys()).toEqual([])
  })

  it('stays in the store when the copies are closed', () => {
    using store = storeOf('web#0', 'api#0')
    const kept = new KeptDescriptors(store)
    kept.close()
    expect(kept.keys()).toEqual([])
    expect([...store.kept.keys()]).toEqual(['web#0', 'api#0'])
  })

  it('is kept on without being handed over again, under the key that it came from and no other', () => {
    using store = storeOf('web#0', 'api#0', 'old#0')
    const kept = new KeptDescriptors(store)
    const [[web], [api], [old]] = [kept.claim('web#0'), kept.claim('api#0'), kept.claim('old#0')] as const
    store.puts = 0
    kept.keepOn('web#0', web)
    kept.keepOn('none', undefined)
    expect(store.puts).toBe(0)
    kept.keepOn('web#1', api)
    kept.keepOn('old#0', undefined)
    expect(store.puts).toBe(1)
    expect([...store.kept.keys()]).toEqual(['web#0', 'api#0', 'web#1'])
    for (const fd of [web, api, old]) fd!.close()
  })

  it('is nothing without a store', () => {
    const kept = new KeptDescriptors()
    expect([kept.keys(), kept.claim('web#0'), kept.dropRest()]).toEqual([[], [], []])
  })
})
