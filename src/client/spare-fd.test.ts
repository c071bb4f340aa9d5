import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { SpareFd } from './spare-fd.ts'

const count = () => readdirSync('/proc/self/fd').length

describe('the spare descriptor', () => {
  it('is one, however often it is kept, and none after the end', () => {
    const before = count()
    const spare = new SpareFd()
    expect([spare.keep(), spare.keep()]).toEqual([true, true])
    expect(count()).toBe(before + 1)
    spare.retire()
    spare.retire()
    expect(count()).toBe(before)
    expect(spare.keep()).toBe(false)
    expect(count()).toBe(before)
  })

  it('is free during the attempt, and kept again after it, whether it succeeds or not', async () => {
    const spare = new SpareFd()
    const before = count()
    spare.keep()
    expect(await spare.lend(async () => count())).toBe(before)
    expect(count()).toBe(before + 1)
    await expect(spare.lend(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(count()).toBe(before + 1)
    spare.retire()
  })

  it('that is retired during an attempt is not taken again', async () => {
    const before = count()
    const spare = new SpareFd()
    spare.keep()
    await spare.lend(async () => spare.retire())
    expect(count()).toBe(before)
  })
})
