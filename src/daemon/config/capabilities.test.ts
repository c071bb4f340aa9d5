import { describe, expect, it } from 'vitest'
import { config } from '../../../test/support/config-texts.ts'
import { capabilityNeeds } from './capabilities.ts'
import { explainPrivileges } from './explain.ts'

const name = (keys: string, listen = 'tcp://127.0.0.1:8080', label = 'web') =>
  `[sockets.${label}]\nlisten = "${listen}"\n${keys}\n`
const needs = (text: string) =>
  capabilityNeeds(config(`[broker]\nuser = "www-data"\n${text}`), 1024).map(({ capability }) => capability)

describe('what a broker keeps of root', () => {
  it.each([
    ['nothing, where nothing asks for it', 'allow = ["user:www-data"]', 'unix:///run/a', []],
    ['CAP_CHOWN for anchors', 'allow = ["user:www-data"]', undefined, ['CAP_CHOWN']],
    ['CAP_CHOWN for anchors without the guard', 'guard = false\nallow = []', undefined, ['CAP_CHOWN']],
    ['CAP_CHOWN for the anchors of UDP ports', 'guard = false\nallow = []', 'udp://127.0.0.1:8080', ['CAP_CHOWN']],
    [
      'none for a UDP port that is shared, which has no anchor',
      'reuse_port = true\nallow = []',
      'udp://127.0.0.1:8080',
      [],
    ],
    ['no CAP_CHOWN for what has no anchor', 'allow = ["user:www-data"]', 'unix:///run/a', []],
    ['CAP_CHOWN for owners of paths', 'allow = []\nsocket_user = "www-data"', 'unix:///run/a', ['CAP_CHOWN']],
    ['CAP_KILL for holders of other users', 'allow = ["group:adm"]', 'unix:///run/a', ['CAP_KILL']],
    ['no CAP_KILL where nobody may hold', 'allow = []', 'unix:///run/a', []],
    ['CAP_NET_BIND_SERVICE for low ports', 'allow = []', 'udp://127.0.0.1:53', ['CAP_CHOWN', 'CAP_NET_BIND_SERVICE']],
    ['none more for the first port that needs none', 'allow = []', 'tcp://127.0.0.1:1024', ['CAP_CHOWN']],
    ['none more for a port of the kernel’s choice', 'allow = []', 'tcp://127.0.0.1:0', ['CAP_CHOWN']],
    ['CAP_NET_ADMIN for a mark', 'allow = []\nmark = 1', undefined, ['CAP_CHOWN', 'CAP_NET_ADMIN']],
    ['CAP_NET_ADMIN for a high priority', 'allow = []\npriority = 7', undefined, ['CAP_CHOWN', 'CAP_NET_ADMIN']],
    ['none more for a low priority', 'allow = []\npriority = 6', undefined, ['CAP_CHOWN']],
    [
      'CAP_NET_ADMIN for a raw SO_MARK',
      'allow = []\nsockopt = [{ level = 1, name = 36, value = 1 }]',
      'unix:///run/a',
      ['CAP_NET_ADMIN'],
    ],
    ['CAP_SYS_PTRACE for exe: rules', 'allow = ["user:www-data exe:/bin/a"]', 'unix:///run/a', ['CAP_SYS_PTRACE']],
    ['none for unit: rules', 'allow = ["user:www-data unit:a.service"]', 'unix:///run/a', []],
    [
      'both that read descriptors, for exclusive names',
      'allow = []\nmode = "exclusive"',
      'unix:///run/a',
      ['CAP_DAC_READ_SEARCH', 'CAP_SYS_PTRACE'],
    ],
  ])('is %s', (_, keys, listen, expected) => expect(needs(name(keys, listen))).toEqual(expected))

  it('is explained by feature and name', () => {
    const many = Array.from({ length: 7 }, (_, i) =>
      name('allow = ["any"]\nguard = false', `tcp://127.0.0.1:${9000 + i}`, `n${i}`),
    )
    const model = config(
      `[broker]\nuser = "www-data"\n${name('allow = ["any"]', 'tcp://127.0.0.1:80')}${many.join('')}`,
    )
    expect(explainPrivileges(model, 0, 1024)).toEqual([
      'once its sockets are bound the broker becomes www-data (uid 33, gid 33), and keeps of root:',
      '  CAP_CHOWN            web, n0, n1, n2, n3 and 3 more: a port’s socket and its anchor belong to a user of their own',
      '  CAP_KILL             web, n0, n1, n2, n3 and 3 more: tells process-bound holders of other users by signal',
      '  CAP_NET_BIND_SERVICE web: binds tcp://127.0.0.1:80 again',
    ])
  })

  it('is told as what it would be, without a user', () => {
    const [heading, ...rest] = explainPrivileges(config(name('allow = []', 'unix:///run/a')), 0, 1024)
    expect(heading).toMatch(/stays who starts it \(uid 0\)/)
    expect(rest).toEqual(['  nothing'])
  })
})
