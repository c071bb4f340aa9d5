import { expect, it } from 'vitest'
import type { Lease } from '../client/index.ts'
import { type ConventionName, programEnvironment } from './program-environment.ts'

const lease = (name: string, addresses: string[], grant: Record<string, unknown> = {}) =>
  ({ name, sockets: addresses.map((address) => ({ address })), grant }) as unknown as Lease
const LEASES = [lease('web', ['tcp://0.0.0.0:80', 'tcp://[::]:80']), lease('ctl', ['unix:///run/ctl.sock'])]
const told = (as: ConventionName, variables = {}, leases = LEASES) => programEnvironment(leases, as, variables)

it.each<[ConventionName, string[]]>([
  ['nginx', ['NGINX=3;4;5;']],
  ['einhorn', ['EINHORN_FD_COUNT=3', 'EINHORN_FD_0=3', 'EINHORN_FD_1=4', 'EINHORN_FD_2=5']],
  ['server-starter', ['SERVER_STARTER_PORT=0.0.0.0:80=3;[::]:80=4;/run/ctl.sock=5']],
])('%s: descriptors from 3, lease after lease', (as, changes) => {
  expect(told(as)).toEqual({ first: 3, changes })
})

it('listen-fds: a name for each socket, and the process that they are for', () => {
  const { first, changes } = told('listen-fds')
  expect(first).toBe(3)
  expect(changes.slice(0, 3)).toEqual(['LISTEN_FDS=3', `LISTEN_PID=${process.pid}`, 'LISTEN_FDNAMES=web:web:ctl'])
})

it('stdin: descriptor 0, and no variable', () => {
  expect(told('stdin')).toEqual({ first: 0, changes: [] })
})

it('removes what another supervisor or convention left, and nothing that only looks like it', () => {
  const foreign = [
    'LISTEN_FDS',
    'LISTEN_PIDFDID',
    'NOTIFY_SOCKET',
    'WATCHDOG_PID',
    'EINHORN_FD_9',
    'SERVER_STARTER_GENERATION',
  ]
  const own = ['LISTEN_FDS_X', 'MY_NGINX', 'NGINX_HOME', 'EINHORN', 'SERVER_STARTER', 'PATH']
  const variables = Object.fromEntries([...foreign, ...own, 'NGINX'].map((name) => [name, '1']))
  expect(told('nginx', variables).changes).toEqual([...foreign, 'NGINX=3;4;5;'])
})

it('gives the notify socket, and the shortest watchdog in microseconds', () => {
  const leases = [
    lease('a', [], { notify: '/run/n', watchdog: 5000 }),
    lease('b', [], { notify: '/run/n', watchdog: 1500 }),
    lease('c', []),
  ]
  expect(told('stdin', { NOTIFY_SOCKET: '/old', WATCHDOG_USEC: '1' }, leases).changes).toEqual([
    'NOTIFY_SOCKET=/run/n',
    'WATCHDOG_USEC=1500000',
    `WATCHDOG_PID=${process.pid}`,
  ])
})

it('removes a watchdog that no lease has', () => {
  expect(told('stdin', { WATCHDOG_USEC: '1', WATCHDOG_PID: '1' }).changes).toEqual(['WATCHDOG_USEC', 'WATCHDOG_PID'])
})
