// A broker that cannot start takes nothing with it: the keeper, or the service manager, has all of it for the next try.

import { existsSync, lstatSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { atEnd } from '../support/cleanup.ts'
import { CLI, type Daemon, stopCleanly, temporaryDirectory, until, writeConfig } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { brokerPid, type ListedSocket, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks, openFds } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { ask } from '../support/steady-client.ts'
import { startSteadyWorker } from '../support/steady-worker.ts'
import { install, runUpgrade } from '../support/upgrade.ts'

forbidLeaks()
endPythons()
const installedCopy = useInstalledCopy()

const SOCKETS = `[sockets.web]
listen = ["tcp://127.0.0.1:0", "unix://{dir}/web.sock"]
allow = ["any"]
[sockets.other]
listen = "udp://127.0.0.1:0"
allow = ["any"]
`

const portOf = (address: string) => Number(address.split(':').at(-1))

/** What the keeper has of sockets, without the way to its broker, which is another for each. */
const keptSockets = (daemon: Daemon) => [...openFds(daemon.pid).values()].filter((what) => what.startsWith('socket:'))

const failedStarts = (daemon: Daemon) =>
  daemon.logs().filter(({ msg }) => String(msg).startsWith('cannot start')).length

interface Before {
  sockets: ListedSocket[]
  kept: string[]
}

async function look(daemon: Daemon): Promise<Before> {
  return { sockets: await socketsOf(daemon, 'web'), kept: keptSockets(daemon) }
}

/** Starts fail; then `mend` takes what was in the way, and a client that came meanwhile is served. */
async function expectNothingLost(daemon: Daemon, { sockets, kept }: Before, mend: () => void): Promise<void> {
  await until(() => failedStarts(daemon) >= 2, 'two starts have failed')
  const gone = () => kept.filter((socket) => !keptSockets(daemon).includes(socket)).length
  await until(() => gone() === 1, 'the way to the broker before has gone, and nothing else')
  expect(existsSync(join(daemon.directory, 'web.sock'))).toBe(true)
  const answer = ask(portOf(sockets[0]!.address))
  mend()
  const served = () => daemon.logs().filter(({ msg }) => msg === 'serving').length
  const starts = served()
  await until(() => served() > starts, 'the next one serves')
  expect(await socketsOf(daemon, 'web')).toEqual(sockets)
  const worker = await startSteadyWorker(daemon.control, 'web')
  expect(await answer).toMatchObject({ answer: String(worker.pid) })
  worker.kill('SIGKILL')
  await stopCleanly(daemon)
}

it('a file in place of the control socket: every start fails, and when it is gone the next has every socket', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const broker = await brokerPid(daemon)
  const before = await look(daemon)
  rmSync(daemon.control)
  writeFileSync(daemon.control, '')
  process.kill(broker, 'SIGKILL')
  await until(() => failedStarts(daemon) > 0, 'a start has failed')
  expect(daemon.stderr()).toContain(`cannot start: ${daemon.control} is not a socket: remove it`)
  await expectNothingLost(daemon, before, () => rmSync(daemon.control))
})

/** The statement is run by each broker that comes to `place` of the program while `obstacle` is there. */
async function startObstructed(place: string, statement: (obstacle: string) => string) {
  const copy = installedCopy()
  const daemon = await startKept({
    sockets: SOCKETS,
    cli: join(copy, 'dist/cli/main.js'),
    through: ['prlimit', '--nofile=128:128'],
  })
  const obstacle = join(daemon.directory, 'obstacle')
  const check = `if (process.getBuiltinModule('fs').existsSync('${obstacle}')) { ${statement(obstacle)} }`
  install(copy, 'dist/daemon/serve.js', (text) => text.replace(place, () => `${check} ${place}`))
  return { daemon, obstacle }
}

/** Leaves as many descriptors free as the file says. */
const USE_UP = (file: string) => `
const { openSync, closeSync, readFileSync } = process.getBuiltinModule('fs')
const free = Number(readFileSync('${file}', 'utf8'))
const all = []
try { for (;;) all.push(openSync('/dev/null')) } catch {}
for (const fd of all.slice(-free)) closeSync(fd)`

it.each([1, 3, 5])(
  '%i free descriptors for the next broker: its starts fail, and with all it has every socket',
  async (free) => {
    const { daemon, obstacle } = await startObstructed('const signals = ', USE_UP)
    const broker = await brokerPid(daemon)
    const before = await look(daemon)
    writeFileSync(obstacle, String(free))
    process.kill(broker, 'SIGKILL')
    await expectNothingLost(daemon, before, () => rmSync(obstacle))
  },
)

it.each([
  ['as soon as it is the broker', 'store.begin();'],
  ['before it serves', 'const dropped = '],
  ['when it has said that it serves', 'announce(config, sockets, log);'],
])('the new broker of an upgrade that fails %s: the next has every socket', async (_, place) => {
  const { daemon, obstacle } = await startObstructed(place, () => "throw new Error('an obstacle')")
  const before = await look(daemon)
  writeFileSync(obstacle, '')
  expect((await runUpgrade(daemon)).status).toBe(0)
  await expectNothingLost(daemon, before, () => rmSync(obstacle))
})

/** Has a port. */
async function stranger(): Promise<{ server: Server; port: number }> {
  const server = createServer()
  atEnd(() => void server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: portOf(`:${(server.address() as { port: number }).port}`) }
}

it('the new broker of an upgrade that cannot have an address leaves the paths of the one that goes on', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const { port } = await stranger()
  const path = join(daemon.directory, 'web.sock')
  const { ino } = lstatSync(path)
  const more = `[sockets.zzz]\nlisten = "tcp://127.0.0.1:${port}"\nallow = ["any"]\n`
  writeConfig(daemon.directory, { sockets: SOCKETS + more })
  const { status, stderr } = await runUpgrade(daemon)
  expect(stderr).toContain(`127.0.0.1:${port} is in use`)
  expect(status).toBe(1)
  expect(lstatSync(path).ino).toBe(ino)
  await stopCleanly(daemon)
})

/** A service manager: makes two sockets, and starts the broker with them as often as it is told. Says how each start ended, and what it heard. */
const MANAGER = `
import fcntl, subprocess
def bound(name, kind):
    with socket.socket(socket.AF_UNIX, kind) as one:
        one.bind(sys.argv[1] + '/' + name)
        if kind != socket.SOCK_DGRAM: one.listen()
        return fcntl.fcntl(one, fcntl.F_DUPFD, 10)
manager = socket.socket(fileno=bound('notify', socket.SOCK_DGRAM))
for number, (name, kind) in enumerate([('web.sock', socket.SOCK_STREAM), ('control.sock', socket.SOCK_SEQPACKET)], 3):
    os.dup2(bound(name, kind), number, inheritable=True)
os.environ.update(NOTIFY_SOCKET=sys.argv[1] + '/notify', FDSTORE='64', LISTEN_FDS='2', LISTEN_FDNAMES='web:.control')
def waiting():
    time.sleep(0.01)
    try: return [manager.recv(4096).decode()]
    except BlockingIOError: return []
manager.setblocking(False)
say('up')
while wait():
    command = ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', *sys.argv[2:]]
    broker = subprocess.Popen(command, close_fds=False, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not (heard := broker.stderr.readline()) == '' and '"serving"' not in heard: said = heard
    if heard: broker.terminate()
    notices = []
    while broker.poll() is None: notices += waiting()
    notices += waiting()
    say(json.dumps({'served': heard != '', 'said': said, 'notices': notices}))
`

it.each([[['--no-keeper']], [[]]])(
  'a start that fails takes nothing from systemd, and no path of what it was given: %s',
  async (options) => {
    const directory = temporaryDirectory()
    const { server, port } = await stranger()
    const sockets = '[sockets.web]\nlisten = "unix://{dir}/web.sock"\nallow = ["any"]'
    const config = writeConfig(directory, { sockets, broker: `metrics = "tcp://127.0.0.1:${port}"` })
    const command = [process.execPath, CLI, 'serve', ...options, '--config', config]
    const manager = startPython(`import json\n${MANAGER}`, [directory, ...command])
    await manager.line()
    const paths = ['web.sock', 'control.sock'].map((name) => join(directory, name))
    const inodes = () => paths.map((path) => lstatSync(path, { throwIfNoEntry: false })?.ino)
    const before = inodes()
    const start = async () => {
      manager.write('start')
      return JSON.parse(await manager.line())
    }
    expect(await start()).toMatchObject({ served: false, said: expect.stringContaining('in use'), notices: [] })
    expect(inodes()).toEqual(before)
    await new Promise((resolve) => server.close(resolve))
    expect(await start()).toMatchObject({ served: true, said: expect.stringContaining('"taken over"') })
    expect(inodes()).toEqual(before)
    manager.process.kill('SIGKILL')
  },
)
