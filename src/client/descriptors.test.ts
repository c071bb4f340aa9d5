import { closeSync, fstatSync, openSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { OwnedFd } from '../sys/index.ts'
import { allOrNone, Descriptors } from './descriptors.ts'

const owned: OwnedFd[] = []
const numbers: number[] = []
afterEach(() => {
  for (const fd of owned.splice(0)) fd.close()
  for (const number of numbers.splice(0)) closeSync(number)
})

const open = (path = '/dev/null') => {
  const fd = new OwnedFd(openSync(path, 'r'))
  owned.push(fd)
  return fd
}
const mine = (given: readonly number[]) => {
  numbers.push(...given)
  return given
}
const device = (fd: number) => fstatSync(fd).rdev

describe('the descriptors of a lease', () => {
  it('are lent, not given: the same ones each time', () => {
    const own = [open(), open('/dev/zero')]
    const descriptors = new Descriptors('web', own)
    expect(descriptors.own).toEqual(own)
    expect(descriptors.closed).toBe(false)
  })

  it('are handed out as other numbers of the same files, the same ones each time', () => {
    const own = [open(), open('/dev/zero')]
    const descriptors = new Descriptors('web', own)
    const out = mine(descriptors.handOut())
    expect(descriptors.handOut()).toBe(out)
    expect(out.map(device)).toEqual(own.map(({ fd }) => device(fd)))
    expect(new Set([...out, ...own.map(({ fd }) => fd)]).size).toBe(4)
    expect([descriptors.handedOut(0), descriptors.handedOut(1), descriptors.handedOut(2)]).toEqual([...out, undefined])
  })

  it('that were handed out are not closed with the lease', () => {
    const descriptors = new Descriptors('web', [open()])
    const [number] = mine(descriptors.handOut())
    descriptors.close()
    expect(fstatSync(number!).isCharacterDevice()).toBe(true)
  })

  it('are not handed out before someone asks', () => {
    expect(new Descriptors('web', [open()]).handedOut(0)).toBeUndefined()
  })

  it('are closed once, and then ENDED', () => {
    const own = [open(), open()]
    const descriptors = new Descriptors('web', own)
    descriptors.close()
    descriptors.close()
    expect(own.map(({ closed }) => closed)).toEqual([true, true])
    expect(descriptors.closed).toBe(true)
    const ended = expect.objectContaining({ code: 'ENDED', message: expect.stringContaining('web was released') })
    for (const use of [() => descriptors.own, () => descriptors.copies(), () => descriptors.handOut()]) {
      expect(use).toThrow(ended)
    }
  })

  it('that were taken are the caller’s, and INVALID here, also after close()', () => {
    const own = [open(), open()]
    const before = own.map(({ fd }) => fd)
    const descriptors = new Descriptors('web', own)
    expect(mine(descriptors.take())).toEqual(before)
    descriptors.close()
    expect(() => descriptors.own).toThrow(expect.objectContaining({ code: 'INVALID' }))
    expect(() => descriptors.take()).toThrow(expect.objectContaining({ code: 'INVALID' }))
    for (const number of before) expect(fstatSync(number).isCharacterDevice()).toBe(true)
  })

  it('are copied all or not at all', () => {
    const good = open()
    const copies: OwnedFd[] = []
    const noting = { dup: () => copies[copies.push(good.dup()) - 1] } as unknown as OwnedFd
    const failing = {
      dup: () => {
        throw new Error('EIO')
      },
    } as unknown as OwnedFd
    const descriptors = new Descriptors('web', [noting, failing])
    expect(() => descriptors.copies()).toThrow(
      expect.objectContaining({ code: 'SYSTEM', message: 'cannot copy the sockets of web: EIO' }),
    )
    expect(copies.map(({ closed }) => closed)).toEqual([true])
  })
})

describe('descriptors that are replaced', () => {
  const dup = (fd: OwnedFd) => fd.dup()

  it('are handed back open, and the new ones are lent', () => {
    const [former, next] = [[open()], [open('/dev/zero')]]
    const descriptors = new Descriptors('web', former)
    const put = descriptors.prepare(next, [0], dup)
    expect(descriptors.own).toBe(former)
    expect(put()).toBe(former)
    expect(former[0]!.closed).toBe(false)
    expect(descriptors.own).toBe(next)
    expect(descriptors.handedOut(0)).toBeUndefined()
  })

  it('keep the numbers that were handed out, each at its new place; a new socket gets one of its own', () => {
    const descriptors = new Descriptors('web', [open(), open()])
    const [a, b] = mine(descriptors.handOut())
    const next = [open(), open('/dev/zero'), open()]
    descriptors.prepare(next, [1, undefined, 0], dup)()
    const [first, added, last] = descriptors.handOut()
    mine([added!])
    expect([first, last]).toEqual([b, a])
    expect(device(added!)).toBe(device(next[1]!.fd))
    expect([a, b, ...next.map(({ fd }) => fd)]).not.toContain(added)
  })

  it('are not, and no copy is left, when there is no room for all copies', () => {
    const descriptors = new Descriptors('web', [open()])
    const [number] = mine(descriptors.handOut())
    const copies: OwnedFd[] = []
    const refused = new Error('EMFILE')
    const scarce = () => {
      if (copies.length === 1) throw refused
      copies.push(open())
      return copies[0]
    }
    const next = [open(), { dup: scarce }, { dup: scarce }] as unknown as OwnedFd[]
    expect(() => allOrNone((copy) => descriptors.prepare(next, [0, undefined, undefined], copy))).toThrow(refused)
    expect(copies.map(({ closed }) => closed)).toEqual([true])
    expect(descriptors.handOut()).toEqual([number])
  })
})
