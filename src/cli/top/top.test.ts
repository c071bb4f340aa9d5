// The view without a terminal: keys and answers in, lines out.

import { describe, expect, it } from 'vitest'
import type { HolderView, LeaseView, NameView } from '../../protocol/messages.ts'
import type { Look } from './look.ts'
import { render } from './render.ts'
import { type Effect, type Input, initialState, type Size, type TopState } from './state.ts'
import { widthOf } from './text.ts'
import { update } from './update.ts'

const PLAIN: Look = { colour: false, unicode: true }
const SIZE = { columns: 80, rows: 24 }
const NOW = 1_790_000_000_000

const view = (name: string, more: Partial<NameView> = {}, queue = 0, drops = 0): NameView => ({
  name,
  mode: 'shared',
  state: 'ok',
  generation: 'g1',
  holders: { granted: 0, ready: 1, draining: 0 },
  waiting: 0,
  sockets: [{ type: 'tcp', address: `tcp://127.0.0.1:8080`, queue, limit: 100, drops, cookie: '00000000000000a1' }],
  ...more,
})

const holder = (lease: number, name: string, more: Partial<LeaseView> = {}): LeaseView => ({
  lease,
  name,
  pid: 100 + lease,
  uid: 33,
  gid: 33,
  user: 'www-data',
  command: 'node server.mjs',
  generation: 'g1',
  state: 'ready',
  since: NOW - 61_000,
  ...more,
})

const NAMES = [view('web', {}, 95), view('api/v2', { state: 'idle' }, 0, 7), view('mail', { state: 'paused' }, 20)]

/** A session: inputs in order, and what they asked to be done. */
function session(inputs: readonly (Input | string)[], names = NAMES, holders: HolderView[] = [], size: Size = SIZE) {
  const effects: Effect[] = []
  let state: TopState = initialState(size, NOW)
  for (const each of [{ type: 'look', names, holders, at: NOW } as const, ...inputs]) {
    const [next, done] = update(state, typeof each === 'string' ? { type: 'key', key: each } : each)
    state = next
    effects.push(...done)
  }
  const lines = render(state, PLAIN)
  return { state, effects, lines, text: lines.join('\n'), rows: lines.filter((line) => /8080/.test(line)) }
}

const firstWords = (rows: readonly string[]) => rows.map((row) => row.slice(2).split(' ')[0])

describe('the events', () => {
  it('of before are shown above those of now, each once', () => {
    const granted = { event: 'granted', at: NOW - 2000, name: 'web', lease: 3 }
    const ready = { event: 'ready', at: NOW - 1000, name: 'web', lease: 3 }
    const past = [
      { ...granted, seq: 1 },
      { ...ready, seq: 2 },
    ]
    const { lines } = session([
      { type: 'event', event: ready },
      { type: 'past', events: past },
    ])
    const shown = lines.filter((line) => / (granted|ready) +web/.test(line))
    expect(shown.map((line) => line.trim().slice(9))).toEqual(['granted    web lease=3', 'ready      web lease=3'])
  })
})

describe('the names', () => {
  it('are a table with their queues drawn, below totals, above events and keys', () => {
    const { lines, rows } = session([])
    expect(lines[0]).toMatch(/fd-broker {2}\d\d:\d\d:\d\d {2}3 names · sort: config · 3\/3 ready · 0 waiting · 7 drops/)
    expect(lines[1]).toMatch(/NAME +ADDRESS +MODE +GEN +HOLDERS +QUEUE +DROPS +STATE/)
    expect(rows[0]).toMatch(/^> web +127\.0\.0\.1:8080 shared g1 +1\/1 +95\/100 ████▊ +█ +0 ok +$/)
    expect(lines.at(-1)).toMatch(/^q quit/)
  })

  it.each<[number, string, string[]]>([
    [0, 'config', ['web', 'api/v2', 'mail']],
    [1, 'name', ['api/v2', 'mail', 'web']],
    [2, 'queue', ['web', 'mail', 'api/v2']],
    [3, 'drops', ['api/v2', 'web', 'mail']],
    [5, 'state', ['mail', 'api/v2', 'web']],
    [6, 'config', ['web', 'api/v2', 'mail']],
  ])('after %d × s are sorted by %s', (times, sort, names) => {
    const { rows, lines } = session(Array<string>(times).fill('s'))
    expect(lines[0]).toContain(`sort: ${sort}`)
    expect(firstWords(rows)).toEqual(names)
  })

  it('are filtered while the filter is typed; Enter keeps it, Esc clears it', () => {
    const typed = session(['/', 'A', 'P', 'I'])
    expect(firstWords(typed.rows)).toEqual(['api/v2'])
    expect(typed.lines.at(-1)).toMatch(/^filter: API_/)
    expect(session(['/', 'x', 'backspace', 'p', 'a', 'u', 's', 'enter']).lines[0]).toContain('1 of 3 names')
    expect(session(['/', 'q', 'enter']).text).toContain('no name, address or state has')
    expect(session(['/', 'q', 'enter', 'escape']).rows).toHaveLength(3)
    expect(session(['/', 'q']).effects).toEqual([])
  })

  it('keep their selection when the order changes, and move it to a row that is there', () => {
    expect(session(['down', 's']).rows.find((row) => row.startsWith('>'))).toContain('api/v2')
    expect(session(['end']).rows.find((row) => row.startsWith('>'))).toContain('mail')
    expect(session(['home', 'up', 'page-up']).rows.find((row) => row.startsWith('>'))).toContain('web')
  })

  it('500 of them scroll so that the selected one is seen', () => {
    const names = Array.from({ length: 500 }, (_, at) => view(`svc-${at}`))
    for (const keys of [[], ['end'], ['page-down', 'page-down', 'down'], ['G', 'page-up']]) {
      const { rows } = session(keys, names)
      expect(rows.length).toBeGreaterThan(10)
      expect(rows.filter((row) => row.startsWith('>'))).toHaveLength(1)
    }
  })

  it('of a generation that is on its way say so, with counts', () => {
    const holders = [holder(1, 'web'), holder(2, 'web', { generation: 'v2', state: 'granted' })]
    const { text, rows } = session([], NAMES, holders)
    expect(text).toContain('web  g1 current (1 ready) → v2 pending (1 granted)')
    expect(rows[0]).toContain('g1+')
    expect(session([]).text).not.toContain('generations')
  })
})

describe('an opened name', () => {
  const holders = [
    holder(1, 'web', { state: 'draining', deadline: NOW + 12_000 }),
    holder(2, 'web', { generation: 'v2', status: 'warm', command: 'a\u001b[2Jb' }),
    holder(3, 'mail'),
  ]
  const copy: HolderView = {
    name: 'web',
    lease: null,
    pid: 7,
    uid: 0,
    gid: 0,
    user: 'root',
    command: 'leak',
    generation: null,
    state: 'undeclared',
    since: null,
    inheritedFrom: 2,
  }

  it('shows who has a socket open without a lease, counts them in no generation and drains none of them', () => {
    const { text, state } = session(['enter', 'end', 'D'], NAMES, [...holders, copy])
    expect(text).toMatch(/- +7 root +leak +- +undeclared +- +of lease 2/)
    expect(text).toMatch(/v2 +pending +0 +1 +0/)
    expect(state.question).toEqual({ verb: 'drain', lease: 2 })
  })

  it('shows its sockets, generations and holders, and no control byte of a holder', () => {
    const { text } = session(['enter'], NAMES, holders)
    expect(text).toMatch(/tcp:\/\/127\.0\.0\.1:8080 +95\/100/)
    expect(text).toMatch(/g1 +current +0 +0 +1/)
    expect(text).toMatch(/v2 +pending +0 +1 +0/)
    expect(text).toMatch(/1 +101 www-data node server.mjs +g1 +draining +1m1s +12s/)
    expect(text).toMatch(/2 +102 www-data a\\x1b\[2Jb +v2 +ready +1m1s +warm/)
    expect(text).not.toMatch(/103/)
    expect(text).not.toContain('\u001b')
  })

  it('is asked for at once, and left by Esc', () => {
    expect(session(['right']).effects).toEqual([{ type: 'look' }])
    expect(session(['enter', 'escape']).lines[0]).toContain('3 names')
  })

  it('that is gone gives way to the list', () => {
    const look: Input = { type: 'look', names: NAMES.slice(1), holders: [], at: NOW }
    expect(session(['enter', look]).lines[0]).toContain('2 names')
  })

  it('has a lease under the cursor, which D drains after a yes', () => {
    const question = { verb: 'drain', lease: 2 }
    const done = { type: 'do', question, withDrain: false }
    expect(session(['enter', 'down', 'D', 'y'], NAMES, holders).effects.at(-1)).toEqual(done)
  })
})

describe('what changes something asks first:', () => {
  const ask = (...keys: string[]) => session(keys)

  it.each<[string[], RegExp, object]>([
    [['d'], /^drain all holders of web\?/, { verb: 'drain', name: 'web' }],
    [['p'], /^pause web\?/, { verb: 'pause', name: 'web' }],
    [['end', 'p'], /^resume mail\?/, { verb: 'resume', name: 'mail' }],
  ])('%j', (keys, words, question) => {
    expect(ask(...keys).lines.at(-1)).toMatch(words)
    expect(ask(...keys).effects).toEqual([])
    expect(ask(...keys, 'y').effects).toEqual([{ type: 'do', question, withDrain: false }])
    for (const key of ['n', 'enter', 'escape', 'q', 'Y', ' ']) {
      const refused = ask(...keys, key)
      expect(refused.effects).toEqual([])
      expect(refused.lines.at(-1)).toContain('not done')
    }
  })

  it('pause drains too when d answers', () => {
    expect(ask('p', 'd').effects).toMatchObject([{ type: 'do', withDrain: true }])
  })

  it('nothing is asked where there is no name', () => {
    expect(session(['d', 'p', 'D', 'enter'], []).state.question).toBeUndefined()
  })
})

it('q and Ctrl-C quit; Ctrl-C also out of a question, the filter and the help', () => {
  for (const keys of [
    ['q'],
    ['ctrl-c'],
    ['d', 'ctrl-c'],
    ['/', 'ctrl-c'],
    ['?', 'ctrl-c'],
    ['?', 'q'],
    ['enter', 'q'],
  ]) {
    expect(session(keys).effects).toContainEqual({ type: 'quit' })
  }
})

it('a broker that is away is said to be, until it answers', () => {
  const away: Input = { type: 'away', why: 'no broker\u001b at /x', at: NOW }
  expect(session([away]).lines.at(-1)).toMatch(/^broker away, trying again: no broker\\x1b at \/x/)
  expect(session([away, { type: 'look', names: [], holders: [], at: NOW }]).lines.at(-1)).toMatch(/^q quit/)
})

it('events show as they come, the newest last, and of one name when it is open', () => {
  const event = (name: string, lease: number): Input => ({
    type: 'event',
    event: { event: 'granted', at: NOW, name, lease },
  })
  const inputs = Array.from({ length: 9 }, (_, lease) => event(lease % 2 ? 'web' : 'mail', lease))
  expect(session(inputs).text).toMatch(/granted +web lease=7\s*\n.*granted +mail lease=8/)
  expect(session(['enter', ...inputs]).text).not.toMatch(/granted +mail/)
})

describe('the window', () => {
  const busy: Input[] = [
    { type: 'event', event: { event: 'died', at: NOW, name: 'web', why: '漢字 🚀 \u202e' } },
    { type: 'notice', text: 'n'.repeat(300), bad: true },
  ]

  it('is filled exactly, whatever its size, and whatever it shows', () => {
    const wide = view('漢字-is-no-name-but-who-knows', { generation: 'x'.repeat(64) }, 50)
    const holders = [holder(1, 'web', { command: '漢'.repeat(99), status: 'é' })]
    for (const columns of [1, 2, 10, 39, 79, 80, 99, 100, 200, 500]) {
      for (const rows of [1, 2, 3, 5, 9, 10, 24, 50]) {
        for (const keys of [[], ['enter'], ['?'], ['/', 'w'], ['d']]) {
          const { lines } = session([...keys, ...busy], [...NAMES, wide], holders, { columns, rows })
          expect(lines).toHaveLength(rows)
          expect(new Set(lines.map(widthOf))).toEqual(new Set([columns]))
        }
      }
    }
  })

  it('is drawn anew when its size changes', () => {
    const { effects, lines } = session([{ type: 'resize', size: { columns: 100, rows: 30 } }])
    expect(effects).toEqual([{ type: 'redraw' }])
    expect(lines).toHaveLength(30)
  })

  it('of 80 columns shows the whole help', () => {
    expect(session(['?']).lines.every((line) => line.endsWith(' '))).toBe(true)
  })

  it('without names says so', () => {
    expect(session([], []).text).toContain('no names yet')
  })
})
