import { describe, expect, it } from 'vitest'
import { keyOfStored, storedName } from './systemd-store.ts'

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
