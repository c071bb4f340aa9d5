import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { mapsAll, systemAccounts } from './accounts.ts'

const directory = mkdtempSync(join(tmpdir(), 'fd-broker-accounts-'))
afterAll(() => rmSync(directory, { recursive: true }))
const passwd = join(directory, 'passwd')
const group = join(directory, 'group')
writeFileSync(
  passwd,
  '# no entry\nroot:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/:\nweb:x:34:34::/:\nbad:x::1::/:\n+::::::\n',
)
writeFileSync(group, 'root:x:0:\nadm:x:4:web,root\n')

describe('accounts', () => {
  it('come from passwd and group, the first entry of a name first', () => {
    const accounts = systemAccounts({ passwd, group, lookup: () => undefined })
    expect(accounts.user('web')).toBe(33)
    expect(accounts.group('adm')).toBe(4)
    expect(accounts.user('adm')).toBeUndefined()
    expect(accounts.user('bad')).toBeUndefined()
    expect(accounts.user('')).toBeUndefined()
  })

  it('are asked of the directory service once each, and only when the files have none', () => {
    const asked: string[] = []
    const lookup = (database: string, name: string) => {
      asked.push(`${database} ${name}`)
      return name === 'ldap' ? 'ldap:*:5000:5000::/:\n' : undefined
    }
    const accounts = systemAccounts({ passwd, group, lookup })
    expect([accounts.user('root'), accounts.user('ldap'), accounts.user('none'), accounts.user('none')]).toEqual([
      0,
      5000,
      undefined,
      undefined,
    ])
    expect(asked).toEqual(['passwd ldap', 'passwd none'])
  })

  it('are not taken from an entry of another name', () => {
    expect(systemAccounts({ passwd, group, lookup: () => 'root:x:0:0:::\n' }).user('alias')).toBeUndefined()
  })

  it('are undefined without files and without an entry, whatever the name looks like', () => {
    const accounts = systemAccounts({ passwd: join(directory, 'none'), group: join(directory, 'none') })
    expect(accounts.user('--help')).toBeUndefined()
    expect(accounts.user('0')).toBeUndefined()
    expect(accounts.user('no such\nuser')).toBeUndefined()
  })

  it.each([
    ['         0          0 4294967295\n', true],
    ['', true],
    ['0 1000 1\n', false],
    ['0 100000 65536\n', false],
    ['0 1000 1\n1 100000 65536\n', false],
  ])('know whether a user namespace maps every id: %j', (map, all) => expect(mapsAll(map)).toBe(all))

  it('know root on this very host', () => expect(systemAccounts().user('root')).toBe(0))
})
