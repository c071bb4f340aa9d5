import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mayAcquire, needs } from './policy.ts'
import { type Accounts, parseRule } from './rule-text.ts'
import type { Peer, Rule } from './types.ts'

const ACCOUNTS: Accounts = {
  user: (name) => ({ root: 0, app: 1001, nobody: 65534 })[name],
  group: (name) => ({ web: 2001 })[name],
}

const PEER: Peer = {
  uid: 1001,
  gid: 1001,
  groups: [2001, 2002],
  pid: 5,
  exe: '/usr/bin/node',
  cgroup: '/system.slice/web.service',
  unit: 'web.service',
  tokens: ['deploy'],
}

function rules(...texts: string[]): Rule[] {
  return texts.map((text) => {
    const rule = parseRule(text, ACCOUNTS)
    if ('fault' in rule) throw new Error(rule.fault)
    return rule
  })
}

function faultOf(text: string): string {
  const rule = parseRule(text, ACCOUNTS)
  return 'fault' in rule ? rule.fault : `no fault: ${JSON.stringify(rule)}`
}

describe('policy', () => {
  it('denies by default, root included', () => {
    expect(mayAcquire([], { ...PEER, uid: 0, gid: 0 })).toBe(false)
    expect(mayAcquire([[]], { ...PEER, uid: 0, gid: 0 })).toBe(false)
    expect(mayAcquire(rules('user:app'), { ...PEER, uid: 0 })).toBe(false)
  })

  it.each([
    ['user:app', { uid: 1002 }],
    ['user:1001', { uid: 1002 }],
    ['group:web', { groups: [] }],
    ['group:1001', { gid: 1 }],
    ['exe:/usr/bin/node', { exe: '/usr/bin/nodejs' }],
    ['unit:web.service', { unit: 'api.service' }],
    ['cgroup:/system.slice', { cgroup: '/system.slice2/web.service' }],
    ['cgroup:/system.slice/', { cgroup: '/user.slice' }],
    ['token:deploy', { tokens: ['other'] }],
  ] as const)('lets %s in and nobody else', (text, other) => {
    expect(mayAcquire(rules(text), PEER)).toBe(true)
    expect(mayAcquire(rules(text), { ...PEER, ...other } as Peer)).toBe(false)
  })

  it('denies where what a condition asks for is not known', () => {
    const bare: Peer = { uid: 1, gid: 1, groups: [], pid: 5 }
    const texts = ['exe:/bin/sh', 'unit:web.service', 'cgroup:/a', 'cgroup:/', 'token:deploy']
    for (const text of texts) expect(mayAcquire(rules(text), bare)).toBe(false)
  })

  it('takes a cgroup prefix on the boundaries of its components', () => {
    const within = (cgroup: string, prefix: string) => mayAcquire(rules(`cgroup:${prefix}`), { ...PEER, cgroup })
    expect(within('/a/b', '/a')).toBe(true)
    expect(within('/a', '/a/')).toBe(true)
    expect(within('/ab', '/a')).toBe(false)
    expect(within('/ab', '/')).toBe(true)
  })

  it('needs all conditions of one rule', () => {
    expect(mayAcquire(rules('user:app exe:/usr/bin/node'), PEER)).toBe(true)
    expect(mayAcquire(rules('user:app exe:/bin/sh'), PEER)).toBe(false)
    expect(mayAcquire(rules('user:app exe:/bin/sh', 'group:web'), PEER)).toBe(true)
    expect(mayAcquire(rules('any'), PEER)).toBe(true)
  })

  it('agrees with an oracle on every mix of users and groups', () => {
    const id = fc.nat({ max: 3 })
    const condition = fc.record({ kind: fc.constantFrom('user', 'group'), id })
    const peer = fc.record({ uid: id, gid: id, groups: fc.array(id, { maxLength: 3 }) })
    const property = fc.property(fc.array(fc.array(condition, { minLength: 1, maxLength: 3 })), peer, (mix, who) => {
      const users = (rule: (typeof mix)[number]) =>
        new Set(rule.filter(({ kind }) => kind === 'user').map(({ id: uid }) => uid))
      const textOf = (rule: (typeof mix)[number]) => rule.map(({ kind, id: value }) => `${kind}:${value}`).join(' ')
      for (const rule of mix) if (users(rule).size > 1) expect(faultOf(textOf(rule))).toContain('never hold together')
      const texts = mix.filter((rule) => users(rule).size < 2).map(textOf)
      let expected = false
      for (const rule of mix) {
        let all = true
        for (const { kind, id: value } of rule) {
          if (kind === 'user' && who.uid !== value) all = false
          if (kind === 'group' && ![who.gid, ...who.groups].includes(value)) all = false
        }
        if (all) expected = true
      }
      expect(mayAcquire(rules(...texts), { ...who, pid: 1 })).toBe(expected)
    })
    fc.assert(property, { numRuns: 500 })
  })

  it('says what must be read about a peer, so that nothing is read for nothing', () => {
    expect(needs(rules('user:app', 'group:web'))).toEqual({ exe: false, cgroup: false })
    expect(needs(rules('user:app exe:/bin/sh'))).toEqual({ exe: true, cgroup: false })
    expect(needs(rules('unit:web.service'))).toEqual({ exe: false, cgroup: true })
    expect(needs(rules('any', 'cgroup:/a'))).toEqual({ exe: false, cgroup: true })
  })
})

describe('the text of a rule', () => {
  it.each([
    ['user:root user:nobody', 'user:0 and user:65534'],
    ['exe:/bin/a user:app exe:/bin/b', 'exe:/bin/a and exe:/bin/b'],
    ['unit:a.service unit:b.service', 'unit:a.service and unit:b.service'],
    ['cgroup:/a cgroup:/a/b cgroup:/a/c', 'cgroup:/a/b and cgroup:/a/c'],
    ['cgroup:/a cgroup:/ab', 'cgroup:/a and cgroup:/ab'],
  ])('%s can never hold, and is refused', (text, both) => {
    expect(faultOf(text)).toBe(`${both} never hold together, so the rule allows nobody: make two rules of them`)
  })

  it.each([
    'user:root user:0',
    'group:1 group:2',
    'exe:/a exe:/a',
    'cgroup:/a/b cgroup:/a',
    'cgroup:/ cgroup:/a',
    'token:a token:b',
  ])('%s may hold', (text) => {
    expect(parseRule(text, ACCOUNTS)).toHaveLength(2)
  })

  it('may name users and groups by number, also the overflow uid', () => {
    expect(rules('user:65534 group:65534')).toEqual([
      [
        { kind: 'user', uid: 65534 },
        { kind: 'group', gid: 65534 },
      ],
    ])
    expect(rules('  user:nobody ')).toEqual([[{ kind: 'user', uid: 65534 }]])
  })

  it.each([
    ['', 'empty'],
    ['   ', 'empty'],
    ['usr:app', 'did you mean "user"?'],
    ['grup:web', 'did you mean "group"?'],
    ['ani', 'did you mean "any"?'],
    ['hostname:x', 'the conditions are user, group'],
    ['constructor:x', 'the conditions are'],
    ['app', 'is no condition'],
    ['user:', 'needs a value, such as user:www-data'],
    ['user', 'needs a value'],
    ['user:ghost', 'there is no user ghost'],
    ['user:4294967295', 'there is no user'],
    ['group:ghost', 'there is no group ghost'],
    ['exe:node', 'absolute path'],
    ['cgroup:system.slice', 'must begin with /'],
    ['any user:app', 'must stand alone'],
    ['user:app nope:1', 'is no condition'],
  ])('%j is a fault that says what to do', (text, words) => {
    expect(faultOf(text)).toContain(words)
  })
})
