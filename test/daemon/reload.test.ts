import { existsSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { expect, it } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cli, cookies, list, portOf, refuses, rewrite } from '../support/reloading.ts'

forbidLeaks()

const ALLOW = 'allow = ["any"]'
const web = (more = '') => `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\n${ALLOW}\n${more}\n`
const api = (more = '') => `[sockets.api]\nlisten = "unix://{dir}/api.sock"\n${ALLOW}\n${more}\n`

it('prints what was added, removed, changed and left alone; unchanged names keep their very sockets and leases', async () => {
  const daemon = await startDaemon({
    sockets: `${web()}${api()}[sockets.old]\nlisten = "tcp://127.0.0.1:0"\n${ALLOW}\n`,
  })
  const asker = await Asker.connect(daemon.control)
  const lease = await asker.lease('web', { ready: true })
  const before = await cookies(daemon, 'web')
  const oldPort = await portOf(daemon, 'old')
  rewrite(daemon, `${web()}${api('drain_timeout = "1s"')}[sockets.new]\nlisten = "tcp://127.0.0.1:0"\n${ALLOW}\n`)

  const wanted = 'added      new\nremoved    old\nchanged    api: drain_timeout\nunchanged  web\n'
  expect(await cli(daemon, 'reload', '--dry-run')).toEqual({ status: 0, stdout: wanted, stderr: '' })
  expect((await list(daemon)).map(({ name }) => name)).toEqual(['web', 'api', 'old'])
  expect(await cli(daemon, 'reload')).toEqual({ status: 0, stdout: wanted, stderr: '' })
  expect((await list(daemon)).map(({ name }) => name).sort()).toEqual(['api', 'new', 'web'])
  expect(await cookies(daemon, 'web')).toEqual(before)
  expect(await asker.ask('ready', { lease })).toMatchObject({ ok: true, state: 'ready' })
  expect(await refuses(oldPort)).toBe(true)
  const json = JSON.parse((await cli(daemon, 'reload', '--json')).stdout)
  expect(json).toEqual({
    dryRun: false,
    added: [],
    removed: [],
    changed: [],
    unchanged: ['web', 'api', 'new'],
    broker: [],
    warnings: [],
  })
  asker.close()
  await stopCleanly(daemon)
})

it('SIGHUP reloads, and the log and the event say what changed', async () => {
  const daemon = await startDaemon({ sockets: web() })
  const asker = await Asker.connect(daemon.control)
  await asker.ask('events')
  rewrite(daemon, `${web()}${api()}`)
  daemon.process.kill('SIGHUP')
  expect(await asker.next()).toMatchObject({
    event: 'reload',
    added: ['api'],
    removed: [],
    changed: [],
    unchanged: ['web'],
    counts: { added: 1, removed: 0, changed: 0, unchanged: 1 },
  })
  await until(() => daemon.logs().some(({ msg }) => msg === 'reload'), 'it is logged')
  asker.close()
  await stopCleanly(daemon)
})

it('a faulty file changes nothing, and every fault is told with its place', async () => {
  const daemon = await startDaemon({ sockets: web() })
  const before = await list(daemon)
  rewrite(daemon, `${web('backlgo = 7\nquorum = 0')}${api()}`)
  const { status, stdout, stderr } = await cli(daemon, 'reload')
  expect([status, stdout]).toEqual([100, ''])
  const faults = stderr.trim().split('\n')
  expect(faults).toHaveLength(2)
  expect(faults[0]).toMatch(/broker\.toml:\d+:\d+: sockets\.web\.backlgo: unknown key; did you mean "backlog"\?/)
  expect(faults[1]).toMatch(/sockets\.web\.quorum/)
  expect(await list(daemon)).toEqual(before)
  expect(existsSync(`${daemon.directory}/api.sock`)).toBe(false)
  writeFileSync(daemon.config, 'this is not = = toml')
  expect((await cli(daemon, 'reload', '--dry-run')).status).toBe(100)
  await stopCleanly(daemon)
})

it('an address that cannot be bound changes nothing: what was opened before it is closed again', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  atEnd(() => taken.close())
  const { port } = taken.address() as net.AddressInfo
  const daemon = await startDaemon({ sockets: web() })
  const fds = daemon.fds()
  const before = await list(daemon)
  rewrite(daemon, `${api()}${web('backlog = 9')}[sockets.zzz]\nlisten = "tcp://127.0.0.1:${port}"\n${ALLOW}\n`)
  const { status, stderr } = await cli(daemon, 'reload')
  expect(status).toBe(111)
  expect(stderr).toContain('[sockets.zzz]: ')
  expect(stderr).toContain(`127.0.0.1:${port} is in use by`)
  expect(await list(daemon)).toEqual(before)
  expect(existsSync(`${daemon.directory}/api.sock`)).toBe(false)
  await until(() => daemon.fds() === fds, 'what was opened is closed')
  for (let i = 0; i < 3; i++) await cli(daemon, 'reload')
  await until(() => daemon.fds() === fds, 'every descriptor is closed')
  await stopCleanly(daemon)
})

it('keys that cannot change while the broker runs are refused by name', async () => {
  const daemon = await startDaemon({ sockets: web() })
  rewrite(daemon, web('reuse_port = true'), 'state_dir = "/tmp"')
  const { status, stderr } = await cli(daemon, 'reload')
  expect(status).toBe(100)
  expect(stderr).toMatch(/broker\.toml:3:1: broker\.state_dir: cannot change while the broker runs/)
  expect(stderr).toMatch(/broker\.toml:\d+:1: sockets\.web\.reuse_port: cannot change/)
  await stopCleanly(daemon)
})

it('options that can be set live are set on the sockets that there are', async () => {
  const daemon = await startDaemon({ sockets: web() + api() })
  const before = [await cookies(daemon, 'web'), await cookies(daemon, 'api')]
  const asker = await Asker.connect(daemon.control)
  const { message, fds } = await asker.received('acquire', { name: 'web', ready: true })
  expect(message['ok']).toBe(true)
  rewrite(daemon, web('backlog = 33\nkeep_alive = true\npriority = 3') + api('socket_mode = "0600"\nbacklog = 5'))
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  expect([await cookies(daemon, 'web'), await cookies(daemon, 'api')]).toEqual(before)
  expect((await list(daemon)).map(({ sockets }) => sockets[0]!.limit)).toEqual([33, 5])
  expect(statSync(`${daemon.directory}/api.sock`).mode & 0o777).toBe(0o600)
  const { getInt } = await import('../../src/sys/sockopt.ts')
  const { constants: c } = await import('../../src/sys/addon.ts')
  expect(getInt(fds[0]!.fd, c.SOL_SOCKET, c.SO_KEEPALIVE)).toBe(1)
  expect(getInt(fds[0]!.fd, c.SOL_SOCKET, c.SO_PRIORITY)).toBe(3)
  rewrite(daemon, web() + api())
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  expect(getInt(fds[0]!.fd, c.SOL_SOCKET, c.SO_KEEPALIVE)).toBe(0)
  expect(statSync(`${daemon.directory}/api.sock`).mode & 0o777).toBe(0o666)
  for (const fd of fds) fd.close()
  asker.close()
  await stopCleanly(daemon)
})

it('a priority that is configured is what it is, with any ip_tos; without one it is what goes with ip_tos, as on a new socket', async () => {
  const { getInt } = await import('../../src/sys/sockopt.ts')
  const { constants: c } = await import('../../src/sys/addon.ts')
  const daemon = await startDaemon({ sockets: web('priority = 3\nip_tos = 16') })
  const asker = await Asker.connect(daemon.control)
  const { fds } = await asker.received('acquire', { name: 'web', ready: true })
  const now = () => [getInt(fds[0]!.fd, c.SOL_SOCKET, c.SO_PRIORITY), getInt(fds[0]!.fd, c.IPPROTO_IP, c.IP_TOS)]
  expect(now()).toEqual([3, 16])
  const before = await cookies(daemon, 'web')
  const steps: [string, number, number][] = [
    ['priority = 3\nip_tos = 8', 3, 8],
    ['priority = 3', 3, 0],
    ['priority = 5\nip_tos = 16', 5, 16],
    ['ip_tos = 16', 6, 16],
    ['ip_tos = 8', 2, 8],
    ['priority = 4', 4, 0],
    ['', 0, 0],
  ]
  for (const [keys, priority, tos] of steps) {
    rewrite(daemon, web(keys))
    expect(await cli(daemon, 'reload')).toMatchObject({ status: 0, stderr: '' })
    expect([keys, ...now()]).toEqual([keys, priority, tos])
  }
  expect(await cookies(daemon, 'web')).toEqual(before)
  for (const fd of fds) fd.close()
  asker.close()
  await stopCleanly(daemon)
})

it('an option that needs a new socket replaces the old one: holders are told, and the old one closes', async () => {
  const daemon = await startDaemon({ sockets: web() + api() })
  const asker = await Asker.connect(daemon.control)
  const lease = await asker.lease('web', { ready: true })
  const before = await list(daemon)
  rewrite(daemon, web('sockopt = [{ level = 6, name = 18, value = 30000 }]') + api('receive_buffer = "64K"'))
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  const { message, fds } = await asker.client.next()
  const after = await list(daemon)
  expect(message).toMatchObject({ event: 'replaced', lease, sockets: [{ cookie: after[0]!.sockets[0]!.cookie }] })
  expect(fds).toHaveLength(1)
  expect(after[0]!.sockets[0]!.cookie).not.toBe(before[0]!.sockets[0]!.cookie)
  expect(after[0]!.sockets[0]!.address).toBe(before[0]!.sockets[0]!.address)
  expect(after[1]!.sockets[0]!.cookie).toBe(before[1]!.sockets[0]!.cookie)
  for (const fd of fds) fd.close()
  await until(() => daemon.logs().some(({ msg }) => msg === 'old socket closed'), 'the old socket is closed')
  expect(daemon.logs().find(({ msg }) => msg === 'old socket closed')).toMatchObject({
    name: 'web',
    dropped: 0,
    cookie: before[0]!.sockets[0]!.cookie,
  })
  asker.close()
  await stopCleanly(daemon)
})

it('what waits in the old queue at drain_timeout is dropped, and the log says how many', async () => {
  const daemon = await startDaemon({ sockets: web('drain_timeout = "300ms"') })
  const asker = await Asker.connect(daemon.control)
  const { fds: held } = await asker.received('acquire', { name: 'web', ready: true })
  const port = await portOf(daemon, 'web')
  const clients = Array.from({ length: 3 }, () => net.connect({ host: '127.0.0.1', port }))
  for (const client of clients) {
    atEnd(() => client.destroy())
    client.on('error', () => {})
    await new Promise((resolve) => client.once('connect', resolve))
  }
  rewrite(daemon, web('drain_timeout = "300ms"\nsockopt = [{ level = 6, name = 18, value = 30000 }]'))
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  await until(() => daemon.logs().some(({ dropped }) => dropped === 3), 'three are dropped')
  await Promise.all(clients.map((client) => client.closed || new Promise((resolve) => client.once('close', resolve))))
  expect(await refuses(port)).toBe(false)
  for (const fd of held) fd.close()
  asker.close()
  await stopCleanly(daemon)
})

it('a removed name drains its holders, and its sockets close when the last has left', async () => {
  const daemon = await startDaemon({ sockets: web() + api() })
  const asker = await Asker.connect(daemon.control)
  const lease = await asker.lease('web', { ready: true })
  const port = await portOf(daemon, 'web')
  rewrite(daemon, api())
  expect((await cli(daemon, 'reload')).stdout).toBe('removed    web\nunchanged  api\n')
  expect(await asker.next()).toMatchObject({ event: 'drain', lease, reason: 'removed' })
  expect(await refuses(port)).toBe(false)
  const other = await Asker.connect(daemon.control)
  expect(await other.ask('acquire', { name: 'web' })).toMatchObject({ ok: false, code: 'NOT_FOUND' })
  await asker.ask('release', { lease })
  await until(() => refuses(port), 'the port is closed')
  asker.close()
  other.close()
  await stopCleanly(daemon)
})

it('a removed name that is added again in time has the same socket', async () => {
  const daemon = await startDaemon({ sockets: web() + api() })
  const asker = await Asker.connect(daemon.control)
  const lease = await asker.lease('web', { ready: true })
  const before = await cookies(daemon, 'web')
  rewrite(daemon, api())
  await cli(daemon, 'reload')
  rewrite(daemon, web('backlog = 12') + api())
  expect((await cli(daemon, 'reload')).stdout).toBe('added      web\nunchanged  api\n')
  await asker.ask('release', { lease })
  expect(await cookies(daemon, 'web')).toEqual(before)
  expect(await refuses(await portOf(daemon, 'web'))).toBe(false)
  asker.close()
  await stopCleanly(daemon)
})

it('waiters of a removed name are answered as if they asked now; leases of the others do not notice', async () => {
  const daemon = await startDaemon({ sockets: `${web('mode = "exclusive"')}${api()}` })
  const holder = await Asker.connect(daemon.control)
  await holder.lease('web', { ready: true })
  const waiter = await Asker.connect(daemon.control)
  waiter.send('acquire', { name: 'web', wait: -1 })
  await until(async () => (await list(daemon)).some(({ waiting }) => waiting === 1), 'it waits')
  rewrite(daemon, api())
  await cli(daemon, 'reload')
  expect(await waiter.next()).toMatchObject({ ok: false, code: 'NOT_FOUND' })
  holder.close()
  waiter.close()
  await stopCleanly(daemon)
})

it('an address that moves to another name is never closed in between', async () => {
  const at = 'tcp://127.0.0.1:{port}'
  const daemon = await startDaemon({ sockets: web() })
  const port = await portOf(daemon, 'web')
  const name = (name: string) => `[sockets.${name}]\nlisten = "${at.replace('{port}', String(port))}"\n${ALLOW}\n`
  // Port 0 keeps its port when it is written out: it is the same socket to the kernel, not to the config.
  rewrite(daemon, name('web'))
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  rewrite(daemon, name('shop'))
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0, stdout: 'added      shop\nremoved    web\n' })
  expect((await list(daemon)).map(({ name }) => name)).toEqual(['shop'])
  expect(await refuses(port)).toBe(false)
  await stopCleanly(daemon)
})

it('rules and quotas of [broker] change live, also for connections that are open', async () => {
  const daemon = await startDaemon({ sockets: web() })
  const asker = await Asker.connect(daemon.control)
  expect(await asker.ask('list')).toMatchObject({ ok: true })
  rewrite(daemon, web(), 'admins = ["user:54321"]\ncontrol_mode = "0600"')
  expect((await asker.ask('reload')) as object).toMatchObject({ ok: true, broker: ['control_mode', 'admins'] })
  expect(await asker.ask('list')).toMatchObject({ ok: false, code: 'DENIED' })
  expect(statSync(daemon.control).mode & 0o777).toBe(0o600)
  asker.close()
  await stopCleanly(daemon)
})

it('a worker under the SDK serves on through a replacement and a new address', async () => {
  const daemon = await startDaemon({ sockets: web() })
  const broker = connect({ socket: daemon.control })
  atEnd(() => broker.close())
  const lease = await broker.acquire('web')
  const server = net.createServer((socket) => socket.end('here'))
  const served = lease.serve(server)
  await until(() => lease.state === 'ready', 'it serves')
  const answers = async (port: number) => {
    let text = ''
    for await (const chunk of net.connect({ host: '127.0.0.1', port })) text += chunk
    return text
  }
  const port = await portOf(daemon, 'web')
  rewrite(daemon, web('sockopt = [{ level = 6, name = 18, value = 30000 }]'))
  await broker.reload()
  expect(await answers(port)).toBe('here')
  rewrite(daemon, '[sockets.web]\nlisten = ["tcp://127.0.0.1:0", "tcp://[::1]:0"]\nallow = ["any"]\n')
  expect(await broker.reload()).toMatchObject({ changed: [{ name: 'web', keys: ['listen', 'sockopt'] }] })
  expect(await answers(await portOf(daemon, 'web'))).toBe('here')
  await until(() => lease.sockets.length === 2, 'it has both sockets')
  await lease.release()
  expect(await served).toMatchObject({ reason: 'released' })
  await stopCleanly(daemon)
})

it('a broker that comes after a death has the configuration that was reloaded, though the file is broken by now', async () => {
  const daemon = await startDaemon({ sockets: web(), keeper: true })
  rewrite(daemon, web() + api('backlog = 7'))
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  const before = [await cookies(daemon, 'web'), await cookies(daemon, 'api')]
  writeFileSync(daemon.config, 'broken = = toml')
  const asker = await Asker.connect(daemon.control)
  const { pid } = await asker.ask('stats')
  asker.close()
  process.kill(pid as number, 'SIGKILL')
  await until(async () => (await list(daemon).catch(() => [])).length === 2, 'the next broker has both names')
  expect([await cookies(daemon, 'web'), await cookies(daemon, 'api')]).toEqual(before)
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 100 })
  await stopCleanly(daemon)
})
