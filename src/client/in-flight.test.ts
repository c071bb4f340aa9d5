import { openSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OwnedFd } from '../sys/index.ts'
import type { Answer, Message } from './answers.ts'
import { InFlight } from './in-flight.ts'

const packet = (message: Message, fds: OwnedFd[] = []): Answer => ({ message, fds, fdsLost: false })
const open = () => new OwnedFd(openSync('/dev/null', 'r'))

function flight() {
  const awaited: boolean[] = []
  const heard: unknown[] = []
  const inFlight = new InFlight((any) => awaited.push(any))
  const add = (name: string, wanted = true) =>
    inFlight.add({
      answer: ({ message }) => heard.push([name, message]),
      fail: ({ message }) => heard.push([name, message]),
      awaited: wanted,
    })
  return { awaited, heard, inFlight, add }
}

describe('the requests in flight', () => {
  it('have ids from 1, and each answer goes to its own request, whatever the order', () => {
    const { inFlight, add, heard } = flight()
    expect([add('a'), add('b'), add('c')]).toEqual([1, 2, 3])
    for (const id of [3, 1, 2]) inFlight.take(id, packet({ id }))
    expect(heard).toEqual([
      ['c', { id: 3 }],
      ['a', { id: 1 }],
      ['b', { id: 2 }],
    ])
  })

  it('are answered once: the descriptors of a second answer, or of one to nobody, are closed', () => {
    const { inFlight, add, heard } = flight()
    const [first, second, stray] = [open(), open(), open()]
    inFlight.take(add('a'), packet({ n: 1 }, [first]))
    inFlight.take(1, packet({ n: 2 }, [second]))
    inFlight.take(77, packet({ n: 3 }, [stray]))
    expect(heard).toEqual([['a', { n: 1 }]])
    expect([first, second, stray].map(({ closed }) => closed)).toEqual([false, true, true])
    first.close()
  })

  it('that nobody awaits do not keep the process alive', () => {
    const { inFlight, add, awaited } = flight()
    const id = add('background', false)
    expect(awaited).toEqual([])
    add('a')
    inFlight.take(id, packet({}))
    expect(awaited).toEqual([true])
  })

  it('tell only of the first that is awaited and of the last that no longer is', () => {
    const { inFlight, add, awaited } = flight()
    const ids = [add('a'), add('b'), add('c')]
    for (const id of ids) inFlight.take(id, packet({ id }))
    expect(awaited).toEqual([true, false])
  })

  it('that were given up hand their late answer to whoever took over, and are counted down once', () => {
    const { inFlight, add, heard, awaited } = flight()
    const id = add('a')
    const late: unknown[] = []
    inFlight.abandon(id, ({ message }) => late.push(message))
    inFlight.abandon(id, () => late.push('second'))
    inFlight.abandon(99, () => late.push('unknown'))
    inFlight.take(id, packet({ ok: true }))
    expect([heard, late, awaited]).toEqual([[], [{ ok: true }], [true, false]])
  })

  it('fail all together, in order, once, and the descriptors of their parts are closed', () => {
    const { inFlight, add, heard, awaited } = flight()
    const fd = open()
    inFlight.take(add('a'), packet({ part: 1, parts: 2 }, [fd]))
    add('b', false)
    inFlight.failAll(new Error('lost'))
    inFlight.failAll(new Error('again'))
    expect(heard).toEqual([
      ['a', 'lost'],
      ['b', 'lost'],
    ])
    expect([fd.closed, awaited]).toEqual([true, [true, false]])
  })

  it('that are in parts are not answered before the last one', () => {
    const { inFlight, add, heard } = flight()
    const id = add('a')
    inFlight.take(id, packet({ part: 2, parts: 2, sockets: ['y'] }))
    expect(heard).toEqual([])
    inFlight.take(id, packet({ part: 1, parts: 2, sockets: ['x'] }))
    expect(heard).toEqual([['a', { sockets: ['x', 'y'] }]])
  })

  it('stay in flight after an impossible part, so that the end of the connection fails them', () => {
    const { inFlight, add, heard } = flight()
    const id = add('a')
    expect(() => inFlight.take(id, packet({ part: 2, parts: 1 }))).toThrow('impossible number')
    inFlight.failAll(new Error('lost'))
    expect(heard).toEqual([['a', 'lost']])
  })

  it('keep the process alive exactly while one is awaited, after any sequence of steps', () => {
    const step = fc.tuple(fc.constantFrom('add', 'background', 'take', 'abandon', 'fail'), fc.nat(12))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { inFlight, add, awaited } = flight()
        const wanted = new Set<number>()
        for (const [what, at] of steps) {
          if (what === 'add') wanted.add(add('a'))
          else if (what === 'background') add('b', false)
          else if (what === 'take') inFlight.take(at, packet({}))
          else if (what === 'abandon') inFlight.abandon(at, () => {})
          else inFlight.failAll(new Error('lost'))
          if (what === 'take' || what === 'abandon') wanted.delete(at)
          if (what === 'fail') wanted.clear()
          expect(awaited.at(-1) ?? false).toBe(wanted.size > 0)
        }
        expect(awaited).toEqual(awaited.map((_, at) => at % 2 === 0))
      }),
    )
  })
})
