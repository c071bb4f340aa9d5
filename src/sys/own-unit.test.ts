import { describe, expect, it } from 'vitest'
import { ownUnit } from './own-unit.ts'

describe('the unit of a process', () => {
  it.each<[string, string, ReturnType<typeof ownUnit>]>([
    ['a system service', '0::/system.slice/web.service', { name: 'web.service', user: false }],
    [
      'an instance below its own slice',
      '0::/system.slice/system-web.slice/web@1.service',
      { name: 'web@1.service', user: false },
    ],
    [
      'a part of a service that delegates',
      '0::/system.slice/web.service/workers/7',
      { name: 'web.service', user: false },
    ],
    [
      'a service of a user’s own manager',
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/broker.service',
      { name: 'broker.service', user: true },
    ],
    [
      'the user’s manager itself',
      '0::/user.slice/user-1000.slice/user@1000.service/init.scope',
      { name: 'init.scope', user: true },
    ],
    [
      'a unit that only looks like a manager',
      '0::/system.slice/user@web.service',
      { name: 'user@web.service', user: false },
    ],
    ['a session', '0::/user.slice/user-1000.slice/session-2.scope', { name: 'session-2.scope', user: false }],
    ['a slice and nothing in it', '0::/system.slice', undefined],
    ['a container', '0::/', undefined],
    ['no unified hierarchy', '4:memory:/system.slice/web.service', undefined],
    ['nothing that can be read', '', undefined],
  ])('%s', (_, cgroups, unit) => {
    expect(ownUnit(`${cgroups}\n`)).toEqual(unit)
  })

  it('is the one of the unified hierarchy, whatever the older ones say', () => {
    expect(ownUnit('3:cpu:/system.slice/old.service\n0::/system.slice/new.service\n')).toEqual({
      name: 'new.service',
      user: false,
    })
  })

  it('none is that of the user’s manager where it shows nothing below itself', () => {
    expect(ownUnit('0::/user.slice/user-1000.slice/user@1000.service\n')).toBeUndefined()
  })
})
