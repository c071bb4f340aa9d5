// A reload that fails half-way, after some sockets had their successors already: it is refused, and everything serves as before.

import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { constants as c } from '../../src/sys/addon.ts'
import type { OwnedFd } from '../../src/sys/index.ts'
import { getInt } from '../../src/sys/sockopt.ts'
import { accepted } from '../support/accepted.ts'
import { Asker, closeAll } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, startDaemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { before } from '../support/hostile.ts'
import { brokerPid, killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cli, list, portOf, rewrite } from '../support/reloading.ts'

forbidLeaks()

const TWO = /\[sockets\.two\]: .*EACCES/
const CLIENTS = 60
const NAMES = ['web', 'one', 'two', 'api'] as const
type Name = (typeof NAMES)[number]

/** Another `generation` needs another socket everywhere. */
const sockets = (generation: number, more: Partial<Record<Name | 'late', string>> = {}) => {
  const named = (name: Name, listen: string) =>
    `[sockets.${name}]\nlisten = "${listen}"\nallow = ["any"]\ndrain_timeout = "60s"\n` +
    `sockopt = [{ level = 1, name = 12, value = ${generation} }]\n${more[name] ?? ''}\n`
  const paths = named('one', 'unix://{dir}/one.sock') + named('two', 'unix://{dir}/two.sock')
  return named('web', 'tcp://127.0.0.1:0') + paths + named('api', 'tcp://127.0.0.1:0') + (more.late ?? '')
}

/**
 * In a broker with this library some calls fail, or are its last, while there is a file of that name. A file system that cannot exchange
 * names is one such failure.
 */
const FAILING = `
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
static int due(const char *what)
{
  char path[300];
  snprintf(path, sizeof path, "%s/%s", getenv("DUE"), what);
  return access(path, F_OK) == 0;
}
static void die(const char *what)
{
  char path[300];
  snprintf(path, sizeof path, "%s/%s", getenv("DUE"), what);
  if (unlink(path) == 0) kill(getpid(), SIGKILL);
}
int rename(const char *from, const char *to)
{
  if (strstr(to, "/two.sock") && due("rename")) return errno = EACCES, -1;
  int result = NEXT(rename)(from, to);
  if (strstr(to, "/one.sock")) die("die");
  return result;
}
long syscall(long call, ...)
{
  long n[6];
  va_list list;
  va_start(list, call);
  for (int i = 0; i < 6; i++) n[i] = va_arg(list, long);
  va_end(list);
  if (call == 316 && due("old")) return errno = EINVAL, -1;
  if (call == 316 && strstr((char *)n[3], "/two.sock") && due("rename")) return errno = EACCES, -1;
  long result = NEXT(syscall)(call, n[0], n[1], n[2], n[3], n[4], n[5]);
  if (call == 316 && strstr((char *)n[3], "/one.sock")) die("die");
  return result;
}
int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
  static int programs;
  if (level == SOL_SOCKET && name == SO_ATTACH_REUSEPORT_CBPF && due("steer") && ++programs >= 4 && programs <= 6) return errno = ENOMEM, -1;
  return NEXT(setsockopt)(fd, level, name, value, length);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
  const struct iovec *first = message->msg_iov;
  if (first->iov_len >= 5 && memcmp(first->iov_base, "Papi#", 5) == 0 && due("keep")) return errno = EPERM, -1;
  return NEXT(sendmsg)(fd, message, flags);
}
`.replaceAll('316', 'SYS_renameat2')

interface Stage {
  daemon: Daemon
  at(name: string): string
  held: ReadonlyMap<Name, OwnedFd>
  asker: Asker
  to: Record<Name, net.NetConnectOpts>
}

async function stage(start = startDaemon): Promise<Stage> {
  const directory = temporaryDirectory()
  const env = { ...before(directory, 'failing', FAILING), DUE: directory }
  const daemon = await start({ directory, env, sockets: sockets(1) })
  const at = (name: string) => join(directory, name)
  const asker = await Asker.connect(daemon.control)
  const held = new Map<Name, OwnedFd>()
  for (const name of NAMES) {
    const { fds } = await asker.received('acquire', { name, ready: true })
    atEnd(() => closeAll(fds))
    held.set(name, fds[0]!)
  }
  const [web, api] = [await portOf(daemon, 'web'), await portOf(daemon, 'api')]
  const to = { web: { port: web }, api: { port: api }, one: { path: at('one.sock') }, two: { path: at('two.sock') } }
  return { daemon, at, held, asker, to }
}

/** Clients, of whom nobody waits or is refused. */
async function connectAll(to: net.NetConnectOpts): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, () => net.connect({ host: '127.0.0.1', ...to }))
  for (const client of clients) atEnd(() => client.destroy())
  await Promise.all(
    clients.map(
      (client) =>
        new Promise((resolve, reject) =>
          client
            .setTimeout(900, () => reject(new Error('a client waits')))
            .once('connect', resolve)
            .once('error', reject),
        ),
    ),
  )
}

/** All of them come to those who have the sockets of before. */
async function serveAsBefore({ held, to }: Stage, names: readonly Name[] = NAMES): Promise<void> {
  for (const name of names) {
    await connectAll(to[name])
    expect([name, accepted(held.get(name)!)]).toEqual([name, CLIENTS])
  }
}

/** The holder is told of other sockets for every name, and new clients come to those. */
async function nextReloadWorks({ daemon, asker, held, to }: Stage, text = sockets(3)): Promise<void> {
  rewrite(daemon, text)
  expect(await cli(daemon, 'reload')).toMatchObject({ status: 0, stderr: '' })
  const next = new Map<string, readonly OwnedFd[]>()
  while (next.size < NAMES.length) {
    const { message, fds } = await asker.client.next()
    expect(message).toMatchObject({ event: 'replaced' })
    atEnd(() => closeAll(fds))
    const { address } = (message['sockets'] as { address: string }[])[0]!
    next.set(address, fds)
  }
  for (const name of NAMES) {
    await connectAll(to[name])
    const { path, port } = to[name] as { path?: string; port?: number }
    const own = next.get(path === undefined ? `tcp://127.0.0.1:${port}` : `unix://${path}`)!
    expect([name, accepted(held.get(name)!), accepted(own[0]!)]).toEqual([name, 0, CLIENTS])
  }
}

const besides = ({ daemon }: Stage) => readdirSync(daemon.directory).filter((name) => /^\.[0-9a-z]{6}$/.test(name))

/** What tells of the sockets: the listing, the list in state_dir, and the names of files. */
async function told(staged: Stage): Promise<unknown> {
  const { daemon } = staged
  const listed = (await list(daemon)).map(({ name, sockets: own }) => [
    name,
    own.map(({ address, cookie }) => [address, cookie]),
  ])
  const inventory = readdirSync(daemon.directory, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.sockets'),
  )
  return [listed, inventory.map((file) => readFileSync(join(daemon.directory, file), 'utf8')), besides(staged)]
}

async function refused({ daemon }: Stage, why: RegExp, text = sockets(2)): Promise<void> {
  rewrite(daemon, text)
  const { status, stderr } = await cli(daemon, 'reload')
  expect({ status, stderr }).toEqual({ status: 111, stderr: expect.stringMatching(why) })
}

async function end({ daemon, asker }: Stage): Promise<void> {
  asker.close()
  await stopCleanly(daemon)
  expect(readdirSync(daemon.directory).filter((name) => name.endsWith('.sock'))).toEqual([])
}

it.each<[what: string, due: readonly string[], why: RegExp]>([
  ['a path cannot be renamed', ['rename'], TWO],
  ['a path cannot be renamed, where two cannot be exchanged', ['rename', 'old'], TWO],
  ['memory is short for the last port', ['steer'], /\[sockets\.api\]: .*ENOMEM/],
  ['the keeper does not take the last socket', ['keep'], /EPERM/],
])(
  'a reload in which %s is refused, all clients come to the sockets of before, and the next reload works',
  async (_, due, why) => {
    const staged = await stage(startKept)
    const { daemon, at } = staged
    const asBefore = await told(staged)
    for (const what of due) writeFileSync(at(what), '')
    await refused(staged, why, sockets(2, { late: LATE('"unix://{dir}/late.sock"') }))
    expect(existsSync(at('late.sock'))).toBe(false)
    expect(await told(staged)).toEqual(asBefore)
    await serveAsBefore(staged)
    for (const what of due) if (what !== 'old') rmSync(at(what))
    await nextReloadWorks(staged)
    await until(() => besides(staged).length === 0, 'no name is left beside the paths')
    expect(await brokerPid(daemon)).toBeGreaterThan(0)
    await end(staged)
  },
)

const LATE = (listen: string) => `[sockets.late]\nlisten = [${listen}]\nallow = ["any"]\n`

it.each<[what: string, last: string, why: RegExp]>([
  ['is in use', 'tcp://127.0.0.1:PORT', /\[sockets\.late\]: .*in use/],
  ['is in no directory', 'unix://{dir}/broker.toml/late.sock', /\[sockets\.late\]: .*ENOTDIR/],
])(
  'a reload that comes to a third new address which %s is refused, all clients come to the sockets of before, and the next works',
  async (_, last, why) => {
    const staged = await stage()
    const asBefore = await told(staged)
    const taken = net.createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as net.AddressInfo
    const listen = `"tcp://127.0.0.1:0", "unix://{dir}/late.sock", "${last.replace('PORT', String(port))}"`
    await refused(staged, why, sockets(2, { late: LATE(listen) }))
    taken.close()
    expect(existsSync(staged.at('late.sock'))).toBe(false)
    expect(await told(staged)).toEqual(asBefore)
    await serveAsBefore(staged)
    await nextReloadWorks(staged)
    await end(staged)
  },
)

it('what serves after a refused reload is what the next broker finds in the keeper', async () => {
  const staged = await stage(startKept)
  const asBefore = await told(staged)
  writeFileSync(staged.at('keep'), '')
  await refused(staged, /EPERM/)
  rmSync(staged.at('keep'))
  staged.asker.close()
  await killBroker(staged.daemon)
  expect(await told(staged)).toEqual(asBefore)
  await serveAsBefore(staged)
  await stopCleanly(staged.daemon)
})

it('a directory in the place of a path refuses the reload before anything is changed, and SIGHUP does the same', async () => {
  const staged = await stage()
  const { daemon, at } = staged
  renameSync(at('two.sock'), at('aside'))
  mkdirSync(at('two.sock'))
  await refused(staged, /\[sockets\.two\]: .*is a directory/)
  process.kill(daemon.pid, 'SIGHUP')
  await until(() => daemon.stderr().split('reload refused').length === 3, 'it is refused again')
  await serveAsBefore(staged, ['web', 'one', 'api'])
  rmdirSync(at('two.sock'))
  renameSync(at('aside'), at('two.sock'))
  await nextReloadWorks(staged)
  await end(staged)
})

it('an option that was set on a socket which serves is as before, also one that no value unsets', async () => {
  const staged = await stage()
  const { daemon, at, held } = staged
  const idle = () => getInt(held.get('web')!.fd, c.IPPROTO_TCP, c.TCP_KEEPIDLE)
  const asBefore = idle()
  writeFileSync(at('rename'), '')
  const live = 'keep_alive_time = "77s"\nbacklog = 99'
  rewrite(daemon, sockets(1, { web: live, two: 'sockopt = []' }))
  const text = sockets(1, { web: live }).replace(/(name = 12, value = )1(?=[^[]*\n\n\[sockets\.api)/, '$12')
  await refused(staged, TWO, text)
  expect(idle()).toBe(asBefore)
  await serveAsBefore(staged)
  expect(daemon.stderr()).not.toContain('repaired')
  await end(staged)
})

it.each([false, true])(
  'a broker that is killed between two renames leaves the path to the socket that serves (no exchange: %s)',
  async (old) => {
    const staged = await stage(startKept)
    const { daemon, at } = staged
    const asBefore = await told(staged)
    const pid = await brokerPid(daemon)
    if (old) writeFileSync(at('old'), '')
    writeFileSync(at('die'), '')
    rewrite(daemon, sockets(2))
    staged.asker.close()
    const other = await Asker.connect(daemon.control)
    other.send('reload')
    await until(async () => (await brokerPid(daemon).catch(() => pid)) !== pid, 'another broker answers')
    await until(() => besides(staged).length === 0, 'nothing is left beside the paths')
    other.close()
    expect(await told(staged)).toEqual(asBefore)
    await serveAsBefore(staged)
    await stopCleanly(daemon)
  },
)
