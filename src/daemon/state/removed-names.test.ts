import { describe, expect, it } from 'vitest'
import { createFold, fold } from '../../core/fold.ts'
import type { Config } from '../config/model.ts'
import { parseConfig } from '../config/read-config.ts'
import { KeptDescriptors } from '../kept-descriptors.ts'
import { configRecord } from './remembered-config.ts'
import { drainingNames, goneRecord, removedRecords } from './removed-names.ts'

const env = { uid: 0, accounts: { user: () => 1, group: () => 1 }, login: () => undefined }
const PORTS: Record<string, string> = {
  a: '"tcp://127.0.0.1:1"',
  b: '["tcp://127.0.0.1:2", "tcp://127.0.0.1:3"]',
  c: '"udp://127.0.0.1:4"',
}

function config(...names: string[]): Config {
  const tables = names.map((name) => `[sockets.${name}]\nallow = ["any"]\nlisten = ${PORTS[name]}\n`)
  const result = parseConfig(`[broker]\ncontrol = "/run/c.sock"\n${tables.join('')}`, 'f.toml', env)
  if ('faults' in result) throw new Error(JSON.stringify(result.faults))
  return result.config
}

const ALL = config('a', 'b', 'c').names
const NONE = config().names

function keptUnder(...keys: string[]): KeptDescriptors {
  const take = () => new Map(keys.map((key) => [key, []]))
  return new KeptDescriptors({ keeps: true, put: () => {}, retain: () => {}, delete: () => {}, take })
}

describe('the records of removed names', () => {
  it('are the model of each that goes, and null for each that comes', () => {
    expect(removedRecords(config('a', 'b').names, config('b', 'c').names)).toEqual([
      { key: 'removed/a', value: ALL.get('a') },
      { key: 'removed/c', value: null },
    ])
  })

  it('are none where no name comes or goes', () => {
    expect(removedRecords(ALL, config('c', 'b', 'a').names)).toEqual([])
  })

  it('are taken back under the same key when the sockets are closed', () => {
    expect(goneRecord('a')).toEqual({ key: 'removed/a', value: null })
  })
})

describe('the names that drain still', () => {
  const folded = (...more: [string, unknown][]) => {
    const all = createFold()
    for (const record of removedRecords(ALL, NONE)) fold(all, record)
    for (const name of ALL.keys()) fold(all, { key: `name/${name}`, value: { generations: [] } })
    for (const [key, value] of more) fold(all, { key, value })
    return all
  }
  const draining = (...args: Parameters<typeof drainingNames>) => drainingNames(...args).map(({ core }) => core.name)

  it.each<[string, string[], string[]]>([
    ['all whose sockets are kept by number', ['a#0', 'b#0', 'b#1', 'c#0'], ['a', 'b', 'c']],
    ['all whose sockets are kept by name', ['a', 'b', 'c'], ['a', 'b', 'c']],
    ['not one that lacks a socket', ['a#0', 'b#0', 'c#0'], ['a', 'c']],
    ['not one of which only the anchors are kept', ['a#0.anchor', 'c#0'], ['c']],
    ['none where nothing is kept', [], []],
  ])('are %s', (_, keys, expected) => {
    expect(draining(folded(), NONE, keptUnder(...keys))).toEqual(expected)
  })

  it('are not those that are configured again, have drained, or are back', () => {
    const kept = keptUnder('a', 'b', 'c')
    expect(draining(folded(), config('b').names, kept)).toEqual(['a', 'c'])
    expect(draining(folded(['name/a', null]), NONE, kept)).toEqual(['b', 'c'])
    expect(draining(folded(['removed/c', null]), NONE, kept)).toEqual(['a', 'b'])
  })

  it('claim nothing of what is kept', () => {
    const kept = keptUnder('a#0', 'c#0')
    drainingNames(folded(), NONE, kept)
    expect(kept.keys()).toEqual(['a#0', 'c#0'])
  })
})

describe('the record of a configuration', () => {
  it('is its file and its text as they were read', () => {
    const { text } = config('a')
    expect(configRecord(config('a'))).toEqual({ key: 'config', value: { file: 'f.toml', text } })
    expect(text).toContain('[sockets.a]\nallow = ["any"]\n')
  })
})
