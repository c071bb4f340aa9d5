import fc from 'fast-check'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { createFold, type Folded } from '../../src/core/fold.ts'
import { KeptDescriptors } from '../../src/daemon/kept-descriptors.ts'
import { readState, StateReading } from '../../src/daemon/state/read-state.ts'
import { STATE_KEY, StateLog } from '../../src/daemon/state/state-log.ts'
import { readWhole, writeAt } from '../../src/sys/index.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { MemoryStore } from '../support/memory-store.ts'

forbidLeaks()

const SILENT = pino({ level: 'silent' })

function read(store: MemoryStore): Folded {
  const kept = new KeptDescriptors(store)
  try {
    return readState(kept, SILENT).folded
  } finally {
    kept.close()
  }
}

it('keeps the last record of each key, and the highest numbers', () => {
  using store = new MemoryStore()
  const log = new StateLog(store, createFold(), SILENT)
  log.append([{ key: 'lease/8', value: { state: 'granted' } }])
  log.append([
    { key: 'lease/8', value: { state: 'ready' } },
    { key: 'lease/9', value: { state: 'granted' } },
  ])
  log.append([{ key: 'lease/9', value: null }])
  const { values, meta } = read(store)
  expect([...values]).toEqual([['lease/8', { state: 'ready' }]])
  expect(meta.nextLease).toBe(10)
  log.close()
})

it('keeps all records of an append or, when that was torn, none of them', () => {
  using store = new MemoryStore()
  const log = new StateLog(store, createFold(), SILENT)
  log.append([{ key: 'name/web', value: { paused: false, generations: [] } }])
  const before = readWhole(store.kept.get(STATE_KEY)![0]!).length
  log.append([
    { key: 'lease/1', value: 'granted' },
    { key: 'name/web', value: { paused: true, generations: [] } },
  ])
  const file = store.kept.get(STATE_KEY)![0]!
  const whole = readWhole(file)
  for (let cut = before; cut < whole.length; cut++) {
    writeAt(file, Buffer.alloc(whole.length - cut), cut)
    expect([...read(store).values]).toEqual([['name/web', { paused: false, generations: [] }]])
    writeAt(file, whole.subarray(cut), cut)
  }
  expect(read(store).values.size).toBe(2)
  log.close()
})

it('is written anew when most of it is outdated, and says the same then', () => {
  using store = new MemoryStore()
  const log = new StateLog(store, createFold(), SILENT, { compactFrom: 8192 })
  for (let round = 0; round < 50; round++) {
    for (let lease = 1; lease <= 20; lease++)
      log.append([{ key: `lease/${lease}`, value: { round, text: 'x'.repeat(40) } }])
  }
  log.append([{ key: 'lease/400', value: null }])
  const { values, meta } = read(store)
  expect([...values.values()]).toEqual(Array.from({ length: 20 }, () => ({ round: 49, text: 'x'.repeat(40) })))
  expect(meta.nextLease).toBe(401)
  expect(store.puts).toBeGreaterThan(2)
  expect(readWhole(store.kept.get(STATE_KEY)![0]!).length).toBeLessThan(20_000)
  log.close()
})

it('holds more than one frame takes', () => {
  using store = new MemoryStore()
  const log = new StateLog(store, createFold(), SILENT, { compactFrom: 0 })
  const large = 'y'.repeat(50_000)
  for (let lease = 1; lease <= 10; lease++) log.append([{ key: `lease/${lease}`, value: large }])
  for (let lease = 1; lease <= 10; lease++) log.append([{ key: `lease/${lease}`, value: large }])
  expect([...read(store).values.values()]).toEqual(Array.from({ length: 10 }, () => large))
  log.close()
})

it('is begun anew by the next broker, so that the file of the one before stays as it was until the store has another', () => {
  using store = new MemoryStore()
  const first = new StateLog(store, createFold(), SILENT)
  first.append([{ key: 'lease/3', value: 'granted' }])
  using kept = store.kept.get(STATE_KEY)![0]!.dup()
  const bytes = readWhole(kept)
  const second = new StateLog(store, read(store), SILENT)
  second.append([{ key: 'lease/4', value: 'granted' }])
  expect(readWhole(kept)).toEqual(bytes)
  expect([...read(store).values.keys()]).toEqual(['lease/3', 'lease/4'])
  first.close()
  second.close()
})

const key = fc.constantFrom('lease/1', 'lease/2', 'name/web', 'history/1', 'config')
const act = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ key, value: fc.option(fc.record({ n: fc.nat(), generations: fc.constant([]) })) }),
  },
  { weight: 2, arbitrary: fc.constant('look' as const) },
)

it('read on from time to time while it is written, and written anew, is what it is when it is read at the end', () => {
  const property = fc.property(
    fc.array(act, { maxLength: 60, size: 'max' }),
    fc.constantFrom(0, 1e6),
    (acts, compactFrom) => {
      using store = new MemoryStore()
      const log = new StateLog(store, createFold(), SILENT, { compactFrom })
      const reading = new StateReading()
      const look = () => reading.read(store.kept.get(STATE_KEY)![0]!)
      for (const each of acts) {
        if (each === 'look') look()
        else log.append([each])
      }
      look()
      const whole = new StateReading()
      whole.read(store.kept.get(STATE_KEY)![0]!)
      expect(reading.folded).toEqual(whole.folded)
      expect(reading.written).toEqual(whole.written)
      const next = new StateLog(store, reading.folded, SILENT, reading)
      expect(read(store)).toEqual(whole.folded)
      log.close()
      next.close()
    },
  )
  fc.assert(property, { numRuns: 200 })
})

it('read while a frame is half written is read on when that is whole', () => {
  using store = new MemoryStore()
  const log = new StateLog(store, createFold(), SILENT)
  log.append([{ key: 'lease/1', value: 'granted' }])
  const file = store.kept.get(STATE_KEY)![0]!
  const before = readWhole(file).length
  log.append([{ key: 'lease/2', value: 'granted' }])
  const whole = readWhole(file)
  for (let cut = before; cut < whole.length; cut++) {
    writeAt(file, Buffer.alloc(whole.length - cut), cut)
    const reading = new StateReading()
    expect(reading.read(file)).toBe(whole.length - before)
    expect([...reading.folded.values.keys()]).toEqual(['lease/1'])
    writeAt(file, whole.subarray(cut), cut)
    expect(reading.read(file)).toBe(0)
    expect([...reading.folded.values.keys()]).toEqual(['lease/1', 'lease/2'])
  }
  log.close()
})
