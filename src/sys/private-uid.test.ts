import { expect, it } from 'vitest'
import { freeUid } from './private-uid.ts'

it('the private uid is one that no account of the host has', () => {
  expect(freeUid('root:x:0:0::/root:/bin/sh\n')).toBe(2_000_000_000)
  expect(freeUid('a:x:2000000000:1::/:/bin/sh\nb:x:2000000001:1::/:/bin/sh\n')).toBe(2_000_000_002)
})
