import { execFileSync, spawnSync } from 'node:child_process'
import dgram from 'node:dgram'
import { existsSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../bench/support/free-port.mjs'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { OwnedFd } from '../../src/sys/index.ts'
import { Asker, type Message } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import {
  type Daemon,
  exitOf,
  IS_ROOT,
  launch,
  NOBODY,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  writeConfig,
} from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'

forbidLeaks()
endPythons()

const SELF = `allow = ["user:${process.getuid!()}"]`
const hasVsock = (() => {
  const fd = addon.socket(c.AF_VSOCK, c.SOCK_STREAM, 0)
  if (fd >= 0) new OwnedFd(fd).close()
  return fd >= 0
})()

interface Figures {
  type: string
  address: string
  queue: number | null
  limit: number | null
  drops: number
}

async function figures(daemon: Daemon): Promise<Map<string, Figures>> {
  const viewer = await Asker.connect(daemon.control)
  const names = (await viewer.ask('list'))['sockets'] as { name: string; sockets: Figures[] }[]
  viewer.close()
  return new Map(names.flatMap(({ name, sockets }) => sockets.map((socket, at) => [`${name}/${at}`, socket])))
}

interface Line {
  receive: number
  send: number
  pids: number[]
}

/** What `ss` says of the socket with this local address. */
function ss(address: string): Line {
  const text = execFileSync('ss', ['-alxtunpH'], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  const line = text.split('\n').find((line) => /LISTEN|UNCONN/.test(line) && line.split(/\s+/)[4] === address)
  if (line === undefined) throw new Error(`ss does not show ${address}`)
  const [, , receive, send] = line.split(/\s+/)
  return {
    receive: Number(receive),
    send: Number(send),
    pids: [...line.matchAll(/pid=(\d+)/g)].map(([, pid]) => Number(pid)),
  }
}

const portOf = (address: string) => Number(address.split(':').at(-1))

async function connected(options: net.NetConnectOpts, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const socket = net.connect(options)
    socket.on('error', () => {})
    atEnd(() => socket.destroy())
    await new Promise((resolve) => socket.once('connect', resolve))
  }
}

describe('a broker binds every type of socket, and its figures are those of ss:', () => {
  const SOCKETS = `
[sockets.v4]
listen = "tcp://127.0.0.1:0"
backlog = 5
${SELF}
[sockets.v6]
listen = "tcp://[::1]:0"
${SELF}
[sockets.udp]
listen = ["udp://127.0.0.1:0", "udp://[::1]:0"]
${SELF}
[sockets.unix]
listen = ["unix://{dir}/s.sock", "unix-seqpacket://{dir}/q.sock", "unix-dgram://{dir}/d.sock"]
backlog = 7
${SELF}
[sockets.abstract]
listen = "unix://@fd-broker-test/${process.pid}/bind"
${SELF}
`
  it('TCP of both families, UDP, all three Unix types, and an abstract name', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const at = await figures(daemon)
    expect([...at.values()].map(({ type }) => type)).toEqual([
      ...['tcp', 'tcp', 'udp', 'udp', 'unix', 'unix-seqpacket', 'unix-dgram', 'unix'],
    ])
    const v4 = portOf(at.get('v4/0')!.address)
    await connected({ host: '127.0.0.1', port: v4 }, 3)
    await connected({ host: '::1', port: portOf(at.get('v6/0')!.address) }, 1)
    await connected({ path: join(daemon.directory, 's.sock') }, 2)
    const udp = portOf(at.get('udp/0')!.address)
    const sender = dgram.createSocket('udp4')
    await new Promise((resolve) => sender.send('hello', udp, '127.0.0.1', resolve))
    await new Promise<void>((resolve) => sender.close(resolve))

    const now = await figures(daemon)
    const ssNames: Record<string, string> = {
      'v4/0': `127.0.0.1:${v4}`,
      'v6/0': `[::1]:${portOf(at.get('v6/0')!.address)}`,
      'unix/0': join(daemon.directory, 's.sock'),
      'unix/1': join(daemon.directory, 'q.sock'),
      'abstract/0': `@fd-broker-test/${process.pid}/bind`,
    }
    for (const [key, address] of Object.entries(ssNames)) {
      const { queue, limit } = now.get(key)!
      const line = ss(address)
      expect([key, queue, limit]).toEqual([key, line.receive, line.send])
      expect(line.pids).toEqual([daemon.pid])
    }
    expect(now.get('v4/0')).toMatchObject({ queue: 3, limit: 5, drops: 0 })
    expect(now.get('unix/0')).toMatchObject({ queue: 2, limit: 7 })
    expect(now.get('udp/0')!.queue).toBe(ss(`127.0.0.1:${udp}`).receive)
    expect(now.get('udp/0')!.queue).toBeGreaterThan(0)
    expect(now.get('unix/2')).toMatchObject({ queue: ss(join(daemon.directory, 'd.sock')).receive, limit: null })
    await stopCleanly(daemon)
    for (const path of ['s', 'q', 'd']) expect(existsSync(join(daemon.directory, `${path}.sock`))).toBe(false)
  })

  it('one dual stack socket, or two of one family each when the name lists both', async () => {
    const [one, two] = [await freePort(), await freePort()]
    const daemon = await startDaemon({
      sockets: `[sockets.one]\nlisten = "tcp://[::]:${one}"\n${SELF}\nbind_to_device = "lo"
[sockets.two]\nlisten = ["tcp://127.0.0.1:${two}", "tcp://[::]:${two}"]\n${SELF}\nbind_to_device = "lo"`,
    })
    await connected({ host: '127.0.0.1', port: one }, 1)
    await connected({ host: '::1', port: one }, 1)
    await connected({ host: '127.0.0.1', port: two }, 2)
    await connected({ host: '::1', port: two }, 1)
    const now = await figures(daemon)
    expect([now.get('one/0')!.queue, now.get('two/0')!.queue, now.get('two/1')!.queue]).toEqual([2, 2, 1])
    await stopCleanly(daemon)
  })

  it.runIf(hasVsock)('vsock (needs a kernel that has it), whose queue the kernel does not tell', async () => {
    const address = `vsock://any:${40_000 + (process.pid % 10_000)}`
    const daemon = await startDaemon({ sockets: `[sockets.vm]\nlisten = "${address}"\n${SELF}` })
    const now = await figures(daemon)
    expect(now.get('vm/0')).toMatchObject({ type: 'vsock', address, queue: null, limit: null })
    await stopCleanly(daemon)
  })
})

describe('a Unix path', () => {
  it.runIf(IS_ROOT)('never has a wider mode than configured, and has its owner (needs root)', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'deep/er/s.sock')
    const watcher = startPython(
      `
seen = set()
say('watching')
while not os.path.exists(sys.argv[2]):
    try:
        at = os.stat(sys.argv[1])
        seen.add((at.st_mode & 0o777, at.st_uid, at.st_gid))
    except OSError: pass
say(*[f'{mode:o}' for mode, _, _ in seen])
`,
      [path, join(directory, 'enough')],
    )
    await watcher.line()
    const daemon = await startDaemon({
      directory,
      sockets: `[sockets.web]\nlisten = "unix://${path}"\n${SELF}
socket_mode = "0620"\nsocket_user = "${NOBODY}"\nsocket_group = "${NOBODY}"\ndirectory_mode = "0710"`,
    })
    writeFileSync(join(directory, 'enough'), '')
    const modes = (await watcher.line()).split(' ').map((mode) => Number.parseInt(mode, 8))
    expect(modes.filter((mode) => (mode & ~0o620) !== 0)).toEqual([])
    const { mode, uid, gid } = statSync(path)
    expect([mode & 0o777, uid, gid]).toEqual([0o620, NOBODY, NOBODY])
    for (const made of ['deep', 'deep/er']) expect(statSync(join(directory, made)).mode & 0o777).toBe(0o710)
    await watcher.exit()
    await stopCleanly(daemon)
    expect(existsSync(path)).toBe(false)
  })

  it('that a dead broker left behind is taken over', async () => {
    const sockets = `[sockets.web]\nlisten = "unix://{dir}/s.sock"\n${SELF}`
    const first = await startDaemon({ sockets })
    await first.stop('SIGKILL')
    expect(existsSync(join(first.directory, 's.sock'))).toBe(true)
    const second = await startDaemon({ sockets, directory: first.directory })
    await connected({ path: join(second.directory, 's.sock') }, 1)
    await stopCleanly(second)
  })

  it.each<[string, (path: string) => void]>([
    ['a symbolic link', (path) => symlinkSync('/nonexistent/elsewhere', path)],
    ['a regular file', (path) => writeFileSync(path, 'precious')],
    ['a directory', (path) => mkdirSync(path)],
  ])('that is %s is never removed', async (_, make) => {
    const directory = temporaryDirectory()
    const path = join(directory, 's.sock')
    make(path)
    const before = lstatSync(path)
    const config = writeConfig(directory, { sockets: `[sockets.web]\nlisten = "unix://${path}"\n${SELF}` })
    const daemon = launch(directory, config)
    expect(await exitOf(daemon)).toBe(111)
    expect(daemon.stderr()).toContain(path)
    expect(lstatSync(path).ino).toBe(before.ino)
    expect(existsSync(daemon.control)).toBe(false)
  })
})

describe('a start that fails half-way', () => {
  it('undoes everything, and names the socket, the reason and the process that has it', async () => {
    const other = startPython("s = socket.create_server(('127.0.0.1', 0)); say(s.getsockname()[1]); wait()")
    const taken = Number(await other.line())
    const free = await freePort()
    const directory = temporaryDirectory()
    const sockets = `[sockets.first]\nlisten = ["unix://{dir}/made/s.sock", "tcp://127.0.0.1:${free}"]\n${SELF}
[sockets.second]\nlisten = ["unix://{dir}/t.sock", "tcp://127.0.0.1:${taken}"]\n${SELF}`
    const daemon = launch(directory, writeConfig(directory, { sockets }))
    expect(await exitOf(daemon)).toBe(111)
    const { msg } = daemon.logs().at(-1) as Message
    expect(msg).toMatch(/^cannot start: \[sockets\.second\]: tcp:/)
    expect(msg).toContain(`tcp://127.0.0.1:${taken} is in use by`)
    expect(msg).toContain(`${other.pid}`)
    expect(msg).toContain('python')
    expect(msg).toContain('EADDRINUSE')
    for (const path of ['made', 't.sock', 'control.sock', 'control.sock.lock']) {
      expect(existsSync(join(directory, path))).toBe(false)
    }
    expect(spawnSync('ss', ['-ltnH', `sport = :${free}`], { encoding: 'utf8' }).stdout).toBe('')
    other.write('')
    await other.exit()
    const again = await startDaemon({ directory, sockets })
    await stopCleanly(again)
    expect(existsSync(join(directory, 'made'))).toBe(false)
  })

  it('names the holder also of a Unix path and of an abstract name', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 's.sock')
    const abstract = `fd-broker-test/${process.pid}/taken`
    const other = startPython(
      `
made = []
for name in (sys.argv[1], '\\0' + sys.argv[2]):
    s = socket.socket(socket.AF_UNIX); s.bind(name); s.listen(); made.append(s)
say('ready'); wait()
`,
      [path, abstract],
    )
    await other.line()
    for (const address of [`unix://${path}`, `unix://@${abstract}`]) {
      const daemon = launch(
        directory,
        writeConfig(directory, { sockets: `[sockets.web]\nlisten = "${address}"\n${SELF}` }),
      )
      expect(await exitOf(daemon)).toBe(111)
      expect(daemon.logs().at(-1)!['msg']).toContain(`${address} is in use by`)
      expect(daemon.logs().at(-1)!['msg']).toContain(String(other.pid))
    }
    expect(existsSync(path)).toBe(true)
    other.write('')
    await other.exit()
  })
})
