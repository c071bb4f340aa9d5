// Reloads that move addresses: between names, between families, and over one another.

import net from 'node:net'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { type Daemon, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cli, cookies, list, portOf, refuses, rewrite } from '../support/reloading.ts'

forbidLeaks()

const named = (name: string, listen: readonly string[], more = '') =>
  `[sockets.${name}]\nlisten = ${JSON.stringify(listen)}\nallow = ["any"]\n${more}\n`
const v4 = (port: number, host = '127.0.0.1') => `tcp://${host}:${port}`
const other = named('other', ['unix://{dir}/other.sock'])

/** A broker whose `web` is at `host`, and a port that is in the file from then on. */
async function startAt(host: string, more = ''): Promise<{ daemon: Daemon; port: number }> {
  const daemon = await startDaemon({ sockets: named('web', [`tcp://${host}:0`], more) + other })
  const port = await portOf(daemon, 'web')
  rewrite(daemon, named('web', [`tcp://${host}:${port}`], more) + other)
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  return { daemon, port }
}

/** What connects is in the queue of a socket that the listing has. */
async function arrives(daemon: Daemon, host: string, port: number): Promise<boolean> {
  if (await refuses(port, host)) return false
  const asker = await Asker.connect(daemon.control)
  const { sockets } = await asker.ask('list')
  asker.close()
  return (sockets as { sockets: { queue: number }[] }[]).some((name) => name.sockets.some(({ queue }) => queue > 0))
}

it.each<[string, string, string, string]>([
  ['narrower', '0.0.0.0', '127.0.0.1', 'web'],
  ['wider', '127.0.0.1', '0.0.0.0', 'web'],
  ['narrower, for another name', '0.0.0.0', '127.0.0.1', 'shop'],
  ['wider, for another name', '127.0.0.1', '0.0.0.0', 'shop'],
])(
  'an address that becomes %s overlaps the one in use: refused, and nothing has changed',
  async (_how, from, to, name) => {
    const { daemon, port } = await startAt(from)
    const asker = await Asker.connect(daemon.control)
    const lease = await asker.lease('web', { ready: true })
    const before = await list(daemon)
    rewrite(daemon, named(name, [v4(port, to)]) + other)
    const { status, stdout, stderr } = await cli(daemon, 'reload')
    expect({ status, stdout }).toEqual({ status: 111, stdout: '' })
    expect(stderr).toContain(`[sockets.${name}]: `)
    expect(stderr).toMatch(/in use/)
    expect(await list(daemon)).toEqual(before)
    expect(await asker.ask('ready', { lease })).toMatchObject({ ok: true, state: 'ready' })
    expect(await arrives(daemon, '127.0.0.1', port)).toBe(true)
    asker.close()
    await stopCleanly(daemon)
  },
)

it.each<[string, string, string, number, RegExp]>([
  [
    'the very address that',
    '127.0.0.1',
    '127.0.0.1',
    1,
    /broker\.toml:5:11: sockets\.thief\.listen\[0\]: "\S+" is the address that sockets\.web/,
  ],
  [
    'an address wider than the one that',
    '127.0.0.1',
    '0.0.0.0',
    1,
    /sockets\.thief\.listen\[0\]: "\S+" overlaps "tcp:\/\/127/,
  ],
  [
    'an address narrower than the one that',
    '0.0.0.0',
    '127.0.0.1',
    1,
    /sockets\.thief\.listen\[0\]: "\S+" overlaps "tcp:\/\/0/,
  ],
  [
    'the second of two addresses that',
    '127.0.0.1',
    '127.0.0.1',
    2,
    /sockets\.thief\.listen\[1\]: "\S+" is the address/,
  ],
])(
  '%s an unchanged name got for port 0 is refused to another name, and nothing has changed',
  async (_how, host, wanted, count, why) => {
    const web = named('web', new Array(count).fill(`tcp://${host}:0`))
    const daemon = await startDaemon({ sockets: web + other })
    const asker = await Asker.connect(daemon.control)
    const lease = await asker.lease('web', { ready: true })
    const before = await list(daemon)
    const ports = before
      .find(({ name }) => name === 'web')!
      .sockets.map(({ address }) => Number(address.split(':').at(-1)))
    rewrite(
      daemon,
      named(
        'thief',
        ports.map((port) => `tcp://${wanted}:${port}`),
      ) +
        web +
        other,
    )
    for (const flag of [['--dry-run'], []]) {
      const { status, stdout, stderr } = await cli(daemon, 'reload', ...flag)
      expect({ status, stdout }).toEqual({ status: 100, stdout: '' })
      expect(stderr).toMatch(why)
      expect(stderr).toContain(`got for "tcp://${host}:0" and keeps; choose another port`)
    }
    expect(await list(daemon)).toEqual(before)
    expect(await asker.ask('sockets', { lease })).toMatchObject({
      ok: true,
      sockets: ports.map(() => ({ type: 'tcp' })),
    })
    expect(await arrives(daemon, '127.0.0.1', ports[0]!)).toBe(true)
    // Where the name gives the port up in the same reload it may have it.
    rewrite(
      daemon,
      named(
        'thief',
        ports.map((port) => v4(port, host)),
      ) + other,
    )
    expect(await cli(daemon, 'reload')).toMatchObject({ status: 0, stderr: '' })
    asker.close()
    await stopCleanly(daemon)
  },
)

it('bind_ipv6_only comes and goes: IPv4 is refused, and taken again', async () => {
  const { daemon, port } = await startAt('[::]', 'drain_timeout = "1s"')
  const at = (more: string) => named('web', [`tcp://[::]:${port}`], `drain_timeout = "1s"\n${more}`) + other
  const [first] = (await cookies(daemon, 'web'))!
  expect(await refuses(port)).toBe(false)
  rewrite(daemon, at('bind_ipv6_only = "ipv6-only"'))
  expect((await cli(daemon, 'reload')).stdout).toContain('changed    web: bind_ipv6_only\n')
  const [second] = (await cookies(daemon, 'web'))!
  expect(second).not.toBe(first)
  expect(await refuses(port, '::1')).toBe(false)
  await until(() => refuses(port), 'IPv4 has nobody any more')
  rewrite(daemon, at(''))
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  expect((await cookies(daemon, 'web'))![0]).not.toBe(second)
  await until(async () => !(await refuses(port)), 'IPv4 is served again')
  await until(() => arrives(daemon, '::1', port), 'IPv6 comes to the new one')
  await stopCleanly(daemon)
})

it('a socket that moves to another name is replaced, and what waits in its queue is not dropped for its old holder', async () => {
  const { daemon, port } = await startAt('127.0.0.1')
  const asker = await Asker.connect(daemon.control)
  const { message, fds } = await asker.received('acquire', { name: 'web', ready: true })
  const before = await cookies(daemon, 'web')
  const client = net.connect({ host: '127.0.0.1', port })
  await new Promise((resolve) => client.once('connect', resolve))
  rewrite(daemon, named('shop', [v4(port)]) + other)
  expect((await cli(daemon, 'reload')).stdout).toBe('added      shop\nremoved    web\nunchanged  other\n')
  expect(await asker.next()).toMatchObject({ event: 'drain', lease: message['lease'], reason: 'removed' })
  expect(await cookies(daemon, 'shop')).not.toEqual(before)
  expect(client.destroyed).toBe(false)
  for (let i = 0; i < 10; i++) expect(await refuses(port)).toBe(false)
  expect(await arrives(daemon, '127.0.0.1', port)).toBe(true)
  client.destroy()
  for (const fd of fds) fd.close()
  await asker.ask('release', { lease: message['lease'] })
  await until(() => daemon.logs().some(({ msg }) => msg === 'old socket closed'), 'the old one leaves')
  expect(await arrives(daemon, '127.0.0.1', port)).toBe(true)
  asker.close()
  await stopCleanly(daemon)
})

it('two names that swap their addresses: both are open all the time, each name with the other’s', async () => {
  const { daemon, port } = await startAt('127.0.0.1')
  const path = `unix://${daemon.directory}/other.sock`
  rewrite(daemon, named('web', [path]) + named('other', [v4(port)]))
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0, stderr: '' })
  const addresses = (await list(daemon)).map(({ name, sockets }) => [name, sockets[0]!.address])
  expect(Object.fromEntries(addresses)).toEqual({ web: path, other: v4(port) })
  expect(await arrives(daemon, '127.0.0.1', port)).toBe(true)
  await stopCleanly(daemon)
})

it('a name that goes and comes back again and again within drain_timeout keeps its socket as long as somebody holds it', async () => {
  const { daemon, port } = await startAt('127.0.0.1')
  const asker = await Asker.connect(daemon.control)
  const lease = await asker.lease('web', { ready: true })
  const before = await cookies(daemon, 'web')
  for (let i = 0; i < 4; i++) {
    rewrite(daemon, other)
    expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
    expect(await refuses(port)).toBe(false)
    rewrite(daemon, named('web', [v4(port)]) + other)
    expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
    expect(await cookies(daemon, 'web')).toEqual(before)
  }
  expect(await asker.ask('release', { lease })).toMatchObject({ ok: true })
  rewrite(daemon, other)
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0 })
  await until(() => refuses(port), 'nobody holds it any more: it closes at once')
  asker.close()
  await stopCleanly(daemon)
})
