import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { count, createFold, fold } from './fold.ts'
import type { StateRecord } from './state.ts'

const name = (...seqs: number[]) => ({ generations: seqs.map((seq) => ({ seq, label: `g${seq}`, state: 'current' })) })

function foldAll(records: readonly StateRecord[]) {
  const folded = createFold()
  for (const record of records) fold(folded, record)
  return folded
}

const key = fc.constantFrom('lease/1', 'lease/7', 'name/web', 'name/api', 'owed/7', 'removed/web', 'config')
const record = fc.tuple(key, fc.boolean(), fc.nat(50)).map(([key, gone, n]): StateRecord => {
  if (gone) return { key, value: null }
  return { key, value: key.startsWith('name/') ? name(n, n + 1) : { n } }
})

describe('a fold of records', () => {
  it.each<[string, StateRecord[], { nextLease: number; nextGeneration: number }]>([
    ['nothing', [], { nextLease: 1, nextGeneration: 1 }],
    ['a lease', [{ key: 'lease/41', value: {} }], { nextLease: 42, nextGeneration: 1 }],
    ['a lease that is gone', [{ key: 'lease/41', value: null }], { nextLease: 42, nextGeneration: 1 }],
    [
      'the generations of a name, in any order',
      [{ key: 'name/web', value: name(3, 9, 4) }],
      { nextLease: 1, nextGeneration: 10 },
    ],
    ['a name without generations', [{ key: 'name/web', value: name() }], { nextLease: 1, nextGeneration: 1 }],
    ['a name that is gone', [{ key: 'name/web', value: null }], { nextLease: 1, nextGeneration: 1 }],
    [
      'what is no lease and no name',
      [
        { key: 'pursuit/90', value: {} },
        { key: 'owed/91', value: {} },
      ],
      { nextLease: 1, nextGeneration: 1 },
    ],
    ['meta', [{ key: 'meta', value: { nextLease: 5, nextGeneration: 6 } }], { nextLease: 5, nextGeneration: 6 }],
    [
      'meta that is behind a lease and ahead of a generation',
      [
        { key: 'lease/9', value: {} },
        { key: 'name/web', value: name(2) },
        { key: 'meta', value: { nextLease: 4, nextGeneration: 8 } },
      ],
      { nextLease: 10, nextGeneration: 8 },
    ],
  ])('counts on from %s', (_, records, meta) => {
    expect(foldAll(records).meta).toEqual(meta)
  })

  it('has the last value of a key, none of a key that is gone, and meta only as the counters', () => {
    const { values } = foldAll([
      { key: 'lease/1', value: 'first' },
      { key: 'lease/2', value: 'gone' },
      { key: 'lease/1', value: 'last' },
      { key: 'lease/2', value: null },
      { key: 'meta', value: { nextLease: 9, nextGeneration: 9 } },
    ])
    expect([...values]).toEqual([['lease/1', 'last']])
  })

  it('keeps what is false, zero or empty: only null is gone', () => {
    const { values } = foldAll([false, 0, '', undefined].map((value, at) => ({ key: `x/${at}`, value })))
    expect([...values.values()]).toEqual([false, 0, '', undefined])
  })

  it('is the same for a log and for what is left of it, written anew after its counters', () => {
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const whole = foldAll(records)
        const anew = foldAll([
          { key: 'meta', value: { ...whole.meta } },
          ...[...whole.values].map(([key, value]) => ({ key, value })),
        ])
        expect(anew).toEqual(whole)
      }),
    )
  })

  it('never counts back, and counts to the same in any order', () => {
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const { meta } = createFold()
        for (const each of records) {
          const before = { ...meta }
          count(meta, each)
          expect(meta.nextLease).toBeGreaterThanOrEqual(before.nextLease)
          expect(meta.nextGeneration).toBeGreaterThanOrEqual(before.nextGeneration)
        }
        expect(foldAll([...records].reverse()).meta).toEqual(meta)
      }),
    )
  })

  it('begins anew each time', () => {
    fold(createFold(), { key: 'lease/5', value: {} })
    expect(createFold()).toEqual({ values: new Map(), meta: { nextLease: 1, nextGeneration: 1 } })
  })
})
