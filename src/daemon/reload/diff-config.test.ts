import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Config } from '../config/model.ts'
import { parseConfig } from '../config/read-config.ts'
import { diffConfig, restartKeys } from './diff-config.ts'

const env = { uid: 0, accounts: { user: () => 1, group: () => 1 }, login: () => undefined }

function config(sockets: Record<string, string>, broker = ''): Config {
  const names = Object.entries(sockets).map(([name, keys]) => `[sockets.${name}]\nallow = ["any"]\n${keys}\n`)
  const result = parseConfig(`[broker]\ncontrol = "/run/c.sock"\n${broker}\n${names.join('')}`, 'f.toml', env)
  if ('faults' in result) throw new Error(JSON.stringify(result.faults))
  return result.config
}

const at = (port: number, more = '') => `listen = "tcp://127.0.0.1:${port}"\n${more}`

describe('what a new configuration changes', () => {
  it('is told by name and by key', () => {
    const before = config({ a: at(1), b: at(2), c: at(3, 'backlog = 7'), d: at(4) })
    const after = config({ b: at(2), c: at(3, 'backlog = 8\nkeep_alive = true'), d: at(5), e: at(6) })
    expect(diffConfig(before, after)).toEqual({
      added: ['e'],
      removed: ['a'],
      changed: [
        { name: 'c', keys: ['backlog', 'keep_alive'] },
        { name: 'd', keys: ['listen'] },
      ],
      unchanged: ['b'],
      broker: [],
    })
  })

  it.each([
    ['an order of names', config({ a: at(1), b: at(2) }), config({ b: at(2), a: at(1) })],
    ['a default that is written out', config({ a: at(1) }), config({ a: at(1, 'mode = "shared"') })],
    ['comments and blanks', config({ a: at(1) }), config({ a: at(1, '# hello\n\n') })],
    [
      'a duration in another unit',
      config({ a: at(1, 'drain_timeout = "2s"') }),
      config({ a: at(1, 'drain_timeout = "2000ms"') }),
    ],
  ])('is nothing for %s', (_, before, after) => {
    const { added, removed, changed, broker } = diffConfig(before, after)
    expect([added, removed, changed, broker]).toEqual([[], [], [], []])
  })

  it('has the keys of [broker], and the tokens as one', () => {
    const changes = diffConfig(config({}), config({}, 'admins = ["any"]\nhello_timeout = "3s"\n[tokens]\n'))
    expect(changes.broker).toEqual(['admins', 'hello_timeout'])
    const hash = `sha256:${'a'.repeat(64)}`
    expect(diffConfig(config({}), config({}, `[tokens]\ndeploy = "${hash}"\n`)).broker).toEqual(['tokens'])
  })

  it('has each name in exactly one list; and the other way round, added and removed are swapped', () => {
    const names = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
      fc.constantFrom('', 'backlog = 7', 'keep_alive = true'),
      { noNullPrototype: true },
    )
    const ports: Record<string, number> = { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }
    const of = (tables: Record<string, string>) =>
      config(Object.fromEntries(Object.entries(tables).map(([name, more]) => [name, at(ports[name]!, more)])))
    fc.assert(
      fc.property(names, names, (first, second) => {
        const there = diffConfig(of(first), of(second))
        const back = diffConfig(of(second), of(first))
        const changed = there.changed.map(({ name }) => name)
        const told = [...there.added, ...there.removed, ...changed, ...there.unchanged]
        expect(told.sort()).toEqual([...new Set([...Object.keys(first), ...Object.keys(second)])].sort())
        for (const name of changed) expect(first[name]).not.toBe(second[name])
        for (const name of there.unchanged) expect(first[name]).toBe(second[name])
        expect([...back.added].sort()).toEqual([...there.removed].sort())
        expect([...back.removed].sort()).toEqual([...there.added].sort())
        expect(back.changed.map(({ name, keys }) => [name, keys]).sort()).toEqual(
          there.changed.map(({ name, keys }) => [name, keys]).sort(),
        )
      }),
      { numRuns: 60 },
    )
  })

  it('needs a restart for some keys, by their paths, and for nothing that is added or removed', () => {
    const before = config({ a: at(1), b: at(2) }, 'state_dir = "/run/a"')
    const after = config(
      { a: at(1, 'reuse_port = true\nbacklog = 9'), c: at(3, 'reuse_port = true') },
      'state_dir = "/run/b"\nhello_timeout = "3s"',
    )
    expect(restartKeys(diffConfig(before, after))).toEqual([
      ['broker', 'state_dir'],
      ['sockets', 'a', 'reuse_port'],
    ])
  })
})
