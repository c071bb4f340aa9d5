// The checks, on hosts that are made up.

import { describe, expect, it } from 'vitest'
import { config } from '../../../test/support/config-texts.ts'
import { examine } from '../commands/doctor.ts'
import type { Facts } from './facts.ts'
import { isAtLeast } from './kernel-checks.ts'

const ALL = (1n << 41n) - 1n
const web = (keys = '', listen = 'tcp://127.0.0.1:80') =>
  config(`[sockets.web]\nlisten = "${listen}"\nallow = ["any"]\n${keys}`)
const asUser = config('[broker]\nuser = "www-data"\n[sockets.web]\nlisten = "tcp://127.0.0.1:80"\nallow = ["any"]')
const root = { uid: 0, mode: 0o755, directory: true }

const GOOD: Facts = {
  uid: 0,
  version: '1.2.3',
  node: '22.1.0',
  kernel: '6.18.2-1-amd64',
  passRights: true,
  pidfs: true,
  guardedFilters: true,
  somaxconn: 4096,
  unprivilegedPort: 1024,
  subject: 'the broker',
  openFiles: 65_536,
  capabilities: ALL,
  configFile: '/etc/fd-broker/broker.toml',
  config: web(),
  controlDirectory: { path: '/run/fd-broker', stat: root },
  stateDirectory: { path: '/var/lib/fd-broker', stat: root },
  unwritable: [],
  unit: { file: '/etc/systemd/system/fd-broker.service', state: 'active' },
  systemd: true,
  addon: { what: 'loaded' },
  keeper: { what: '/usr/lib/fd-broker-keeper' },
  unixDgram: { what: 'loaded' },
  broker: { is: 'answering', path: '/run/fd-broker/control.sock', version: 'fd-broker/1.2.3', pid: 7 },
}

const notOk = (facts: Partial<Facts>) => examine({ ...GOOD, ...facts }).filter(({ level }) => level !== 'ok')

it('a host where all is well has nothing but ok', () => {
  expect(notOk({})).toEqual([])
  expect(new Set(examine(GOOD).map(({ check }) => check))).toEqual(
    new Set(
      `addon keeper unix-dgram unit broker config state_dir node kernel SO_PASSRIGHTS pidfs SO_PEERPIDFD SO_ATTACH_FILTER somaxconn
       CAP_CHOWN CAP_KILL CAP_NET_BIND_SERVICE`
        .split(/\s+/)
        .concat('control directory', 'open files', 'undeclared copies'),
    ),
  )
})

it('what there is once is named in the singular', () => {
  expect(examine(GOOD).find(({ check }) => check === 'config')!.finding).toMatch(/: 1 name, 1 socket$/)
})

describe('found, with what to do:', () => {
  const absent = { is: 'absent', path: '/x' } as const
  it.each<[string, Partial<Facts>, string, string, RegExp, RegExp]>([
    ['an old Node', { node: '18.19.0' }, 'node', 'problem', /18\.19\.0 is too old/, /20\.19/],
    ['an old kernel', { kernel: '5.4.0-1' }, 'kernel', 'problem', /5\.4\.0-1 is too old/, /5\.10/],
    ['no SO_PASSRIGHTS', { passRights: false }, 'SO_PASSRIGHTS', 'note', /off the main thread/, /6\.16/],
    ['open filters', { guardedFilters: false }, 'SO_ATTACH_FILTER', 'note', /locks its own/, /nothing/],
    ['no pidfs', { pidfs: false }, 'pidfs', 'note', /pid and start time/, /6\.9/],
    ['a small somaxconn', { somaxconn: 128 }, 'somaxconn', 'warning', /backlog of web is cut to 128/, /somaxconn=4096/],
    ['few files', { openFiles: 300 }, 'open files', 'warning', /room for 1 socket and 116 workers/, /LimitNOFILE/],
    ['too few files', { openFiles: 60 }, 'open files', 'problem', /too few for 1 socket$/, /LimitNOFILE/],
    [
      'no right to low ports',
      { capabilities: ALL & ~(1n << 10n) },
      'CAP_NET_BIND_SERVICE',
      'problem',
      /:80/,
      /Ambient/,
    ],
    ['no right to anchors', { capabilities: ALL & ~1n }, 'CAP_CHOWN', 'warning', /anchor/, /root/],
    [
      'no right to look into others',
      { capabilities: ALL & ~(1n << 19n) },
      'undeclared copies',
      'note',
      /has no CAP_SYS_PTRACE: .*other users/,
      /docs\/systemd\.md/,
    ],
    ['no config', { config: undefined }, 'config', 'problem', /there is no \/etc/, /--config/],
    ['a bad config', { config: { faults: ['b.toml:1:1: x'] } }, 'config', 'problem', /b\.toml:1:1: x/, /check/],
    [
      'a directory that others write',
      { controlDirectory: { path: '/run/x', stat: { ...root, mode: 0o777 } } },
      'control directory',
      'problem',
      /others may write/,
      /chmod go-w \/run\/x/,
    ],
    [
      'a directory of somebody else',
      { stateDirectory: { path: '/s', stat: { ...root, uid: 33 } } },
      'state_dir',
      'warning',
      /uid 33/,
      /chown/,
    ],
    [
      'a file for a directory',
      { stateDirectory: { path: '/s', stat: { ...root, directory: false } } },
      'state_dir',
      'problem',
      /no directory/,
      /remove/,
    ],
    [
      'a directory that is not of the user whom the broker becomes',
      { config: asUser, stateDirectory: { path: '/s', stat: { ...root, uid: 34 } } },
      'state_dir',
      'warning',
      /uid 34, not to root or to www-data/,
      /chown www-data \/s/,
    ],
    [
      'paths that cannot be replaced',
      { unwritable: [{ what: 'www-data cannot', remedy: 'chown it' }] },
      'paths',
      'warning',
      /www-data cannot/,
      /chown it/,
    ],
    ['no directory yet', { stateDirectory: { path: '/s' } }, 'state_dir', 'note', /no \/s yet/, /makes it/],
    ['no unit', { unit: undefined }, 'unit', 'note', /not installed/, /deploy/],
    ['no systemd', { unit: undefined, systemd: false }, 'unit', 'note', /systemd does not run/, /at boot/],
    ['a failed unit', { unit: { file: '/u', state: 'failed' } }, 'unit', 'problem', /failed/, /systemctl status/],
    ['a stopped unit', { unit: { file: '/u', state: 'inactive' } }, 'unit', 'warning', /inactive/, /systemctl start/],
    ['no addon', { addon: { why: 'no build' } }, 'addon', 'problem', /no build/, /build:native/],
    ['no keeper', { keeper: { why: 'missing' } }, 'keeper', 'problem', /missing/, /--no-keeper/],
    ['no unix-dgram', { unixDgram: { why: 'not here' } }, 'unix-dgram', 'note', /not here/, /addon sends/],
    ['no broker', { broker: absent }, 'broker', 'warning', /no broker at \/x/, /fd-broker serve/],
    ['a mute broker', { broker: { is: 'refusing', path: '/x', why: 'silent' } }, 'broker', 'problem', /silent/, /log/],
    [
      'another version',
      { broker: { is: 'answering', path: '/x', version: 'fd-broker/1.0.0', pid: 7 } },
      'broker',
      'warning',
      /1\.0\.0.*this is fd-broker\/1\.2\.3/,
      /upgrade/,
    ],
  ])('%s', (_, facts, check, level, words, remedy) => {
    const all = notOk(facts)
    const found = all.filter((each) => each.check === check)
    expect(found.map(({ level }) => level)).toEqual([level])
    expect(all.filter((each) => each.check !== check && each.level !== 'note')).toEqual([])
    expect(found[0]!.finding).toMatch(words)
    expect(found[0]!.remedy).toMatch(remedy)
  })
})

it('without a config nothing is said of capabilities and backlogs', () => {
  const checks = examine({ ...GOOD, config: undefined, capabilities: 0n, somaxconn: 1 }).map(({ check }) => check)
  expect(checks.filter((check) => check.startsWith('CAP_'))).toEqual([])
})

it('the directories of the user whom the broker becomes are as they should be', () => {
  const stat = { ...root, uid: 33 }
  const owned = { controlDirectory: { path: '/run/x', stat }, stateDirectory: { path: '/s', stat } }
  expect(notOk({ config: asUser, ...owned })).toEqual([])
  expect(notOk(owned).map(({ check }) => check)).toEqual(['control directory', 'state_dir'])
})

it('a sticky directory is safe, for nobody renames there what is not his', () => {
  expect(notOk({ controlDirectory: { path: '/tmp', stat: { ...root, mode: 0o1777 } } })).toEqual([])
})

it.each<[string, number[], boolean]>([
  ['6.10.1', [6, 9], true],
  ['6.9', [6, 9], true],
  ['6.5.0-rc1', [6, 9], false],
  ['7.0', [6, 9], true],
  ['20.18.3', [20, 19], false],
])('%s is at least %j: %s', (text, least, expected) => expect(isAtLeast(text, least)).toBe(expected))
