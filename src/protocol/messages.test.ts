import { describe, expect, it } from 'vitest'
import { isOp, shapeFault, VERBS } from './messages.ts'

interface Kind {
  good: unknown[]
  bad: unknown[]
  integer?: true
}

// What docs/protocol.md says of each kind of argument, written down a second time.
const MS_MAX = 2_147_483_647
const NOT_TEXT = [null, 1, true, [], {}]
const KINDS = {
  name: { good: ['web', 'a'.repeat(128)], bad: [...NOT_TEXT, '', '80', 'a:b', 'a'.repeat(129), '../a'] },
  generation: { good: ['v1', 'a'.repeat(64)], bad: [...NOT_TEXT, '', '80', 'a:b', 'a'.repeat(65)] },
  boolean: { good: [true, false], bad: [null, 0, 1, 'true', [], {}] },
  lease: { good: [1, 0, 2 ** 53 - 1], bad: [null, -1, 1.5, 2 ** 53, 2n ** 60n, '1', [], true], integer: true },
  leases: { good: [[], [1, 2, 3]], bad: [null, 1, '1', {}, ['1'], [1, null], [[1]], [1.5]], integer: true },
  version: { good: [0, 1, 2, -1, 2 ** 32, 2n ** 63n], bad: [null, 0.5, '1', [], true], integer: true },
  wait: { good: [-1, 0, MS_MAX], bad: [null, -2, 0.5, MS_MAX + 1, '1', [], true], integer: true },
  history: { good: [0, 1000], bad: [null, -1, 0.5, 1001, '1', [], true], integer: true },
  milliseconds: { good: [0, MS_MAX], bad: [null, -1, 0.5, MS_MAX + 1, '1', [], true], integer: true },
  binding: { good: ['connection', 'process'], bad: [...NOT_TEXT, '', 'Process', 'none', 'toString'] },
  signal: {
    good: ['TERM', 'INT', 'QUIT', 'HUP', 'USR1', 'USR2', 'WINCH'],
    bad: [...NOT_TEXT, '', 'SIGTERM', 'KILL', 'term', '15'],
  },
  label: {
    good: ['', 'web 1', 'é'.repeat(64), 'x'.repeat(128), '😀'],
    bad: [
      ...NOT_TEXT,
      'é'.repeat(65),
      'x'.repeat(129),
      'a\nb',
      'a\u0000',
      '\u001b[2J',
      '\u007f',
      '\u009b',
      '\u2028',
      '\u2029',
      '\ud800',
    ],
  },
  token: { good: ['', 'x'.repeat(256)], bad: [...NOT_TEXT, 'x'.repeat(257), 'a\nb'] },
} satisfies Record<string, Kind>

type KindName = keyof typeof KINDS
type Verb = Record<string, KindName | `${KindName}!`>

/** Every verb with its keys; `!` marks those that must be there. */
const EXPECTED: Record<string, Verb> = {
  hello: { version: 'version!', client: 'label', token: 'token', leases: 'leases' },
  acquire: {
    name: 'name!',
    generation: 'generation',
    takeover: 'boolean',
    wait: 'wait',
    ready: 'boolean',
    bind: 'binding',
    label: 'label',
    drainSignal: 'signal',
    readyAfter: 'milliseconds',
  },
  ready: { lease: 'lease!' },
  release: { lease: 'lease!' },
  sockets: { lease: 'lease!' },
  reclaim: { lease: 'lease!', name: 'name!' },
  list: {},
  holders: { name: 'name', undeclared: 'boolean' },
  stats: {},
  events: {},
  history: { name: 'name', limit: 'history', since: 'lease' },
  drain: { name: 'name', lease: 'lease', timeout: 'milliseconds' },
  pause: { name: 'name!', drain: 'boolean' },
  resume: { name: 'name!' },
  reload: { dryRun: 'boolean' },
  upgrade: {},
  shutdown: {},
}

it('knows exactly these verbs with exactly these keys', () => {
  expect(Object.keys(VERBS).sort()).toEqual(Object.keys(EXPECTED).sort())
  for (const [op, row] of Object.entries(VERBS)) expect(Object.keys(row)).toEqual(Object.keys(EXPECTED[op]!))
})

it('takes no word of a prototype for a verb', () => {
  for (const word of ['constructor', 'toString', '__proto__', 'hasOwnProperty', '', 'HELLO', 'hello '])
    expect(isOp(word)).toBe(false)
})

const shown = (value: unknown) =>
  typeof value === 'bigint' ? String(value) : String(JSON.stringify(value)).slice(0, 40)

const VERB_ROWS = Object.entries(EXPECTED)
describe.each(VERB_ROWS)('%s', (op, row) => {
  if (!isOp(op)) throw new Error(`${op} is no verb`)
  const kindOf = (key: string): Kind => KINDS[row[key]!.replace('!', '') as KindName]
  const required = Object.keys(row).filter((key) => row[key]!.endsWith('!'))
  const least = { id: 1, op, ...Object.fromEntries(required.map((key) => [key, kindOf(key).good[0]])) }

  it('passes with only what it must have', () => {
    expect(shapeFault(op, least, [])).toBeUndefined()
  })

  it.each(['x', 'Name', 'leaseId', '__proto_', 'constructor', 'toString', ''])(
    'refuses the unknown key %j by name',
    (key) => {
      expect(shapeFault(op, { ...least, [key]: 1 }, [])).toContain(
        `${op}: unknown key ${JSON.stringify(key)}; it takes `,
      )
    },
  )

  it.each(required)('refuses a request without %s', (key) => {
    const { [key]: _, ...rest } = least as Record<string, unknown>
    expect(shapeFault(op, rest, [])).toBe(`${op}: ${key} is missing`)
  })

  describe.each(Object.keys(row))('%s', (key) => {
    const { good, bad, integer } = kindOf(key)
    it.each(good.map((value) => [shown(value), value]))('may be %s', (_, value) => {
      expect(shapeFault(op, { ...least, [key]: value }, [])).toBeUndefined()
    })
    it.each(bad.map((value) => [shown(value), value]))('must not be %s', (_, value) => {
      const fault = shapeFault(op, { ...least, [key]: value }, [])
      expect(fault).toContain(`${op}: ${key} `)
      expect(fault?.length).toBeLessThan(200)
    })
    if (!integer) return
    it('must not be a float, whatever its value', () => {
      expect(shapeFault(op, { ...least, [key]: good[0] }, [key])).toBe(`${op}: ${key} must not be a float`)
    })
  })
})

it('keeps the message short when an unknown key is long', () => {
  const fault = shapeFault('list', { id: 1, op: 'list', ['\u001b'.repeat(16_000)]: 1 }, [])
  expect(fault?.length).toBeLessThan(500)
  expect(fault).not.toContain('\u001b')
})
