import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import {
  exitOf,
  IS_ROOT,
  launch,
  NOBODY,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  writeConfig,
} from '../support/daemon.ts'
import { report, times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const ONE = 60_001
const WEB = `
[sockets.root]
listen = "tcp://127.0.0.1:0"
allow = ["user:root"]
[sockets.one]
listen = "tcp://127.0.0.1:0"
allow = ["user:${ONE}"]
[sockets.group]
listen = "tcp://127.0.0.1:0"
allow = ["group:60009"]
`

/** Each runs as root and says at the end, through `tried`, what the broker answered to an acquire. */
const TRICKS: [string, string][] = [
  [
    'gives up root after connect()',
    `
broker = connect()
os.setresuid(${NOBODY}, ${NOBODY}, ${NOBODY})
tried(broker, 'root')`,
  ],
  [
    'becomes another user after connect() as one that may',
    `
os.setresuid(${ONE}, ${ONE}, 0); broker = connect(); os.setresuid(0, 0, 0)
tried(broker, 'one')`,
  ],
  [
    'inherited the connection',
    `
broker = connect()
child(lambda: tried(broker, 'root'))`,
  ],
  [
    'inherited it from a process that has ended',
    `
broker = connect()
if os.fork() > 0: os._exit(0)
wait_for_orphan()
tried(broker, 'root')`,
  ],
  [
    'was passed the connection by root',
    `
left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if os.fork() == 0:
    right.close()
    broker = connect()
    socket.send_fds(left, [b'x'], [broker.sock.fileno()])
    left.recv(1)
    os._exit(0)
left.close()
fd = socket.recv_fds(right, 9, 1)[1][0]
os.setresuid(${NOBODY}, ${NOBODY}, ${NOBODY})
tried(Connection(sock=socket.socket(fileno=fd)), 'root')`,
  ],
  [
    'is root only by a set-user-ID program (ruid and euid differ)',
    `
os.setresuid(${NOBODY}, 0, 0)
say(code(connect))`,
  ],
  [
    'is in a group only by a set-group-ID program (rgid and egid differ)',
    `
os.setgroups([]); os.setresgid(${NOBODY}, 60009, 60009); os.setresuid(${NOBODY}, ${NOBODY}, ${NOBODY})
say(code(connect))`,
  ],
  [
    'is root of a user namespace of its own',
    `
os.setresgid(${NOBODY}, ${NOBODY}, ${NOBODY}); os.setresuid(${NOBODY}, ${NOBODY}, ${NOBODY})
unshare_user()
assert os.getuid() == 0, os.getuid()
tried(connect(), 'root')`,
  ],
  [
    'has the pid of the process that connected, which has ended',
    `
again = False
while not again:
    pid, fd = leave_connection()
    again = reuse(pid, lambda: tried(Connection(sock=socket.socket(fileno=fd)), 'root'))`,
  ],
]

/** What the tricks have in common; each answer is one line. */
const PRELUDE = `
def say(*words):
    "One write: orphans of several rounds may speak at once."
    os.write(1, (' '.join(map(str, words)) + '\\n').encode())
def tried(broker, name):
    say(code(granted, broker, name))
def child(run):
    pid = os.fork()
    if pid == 0:
        run()
        os._exit(0)
    os.waitpid(pid, 0)
def wait_for_orphan():
    parent = os.getppid()
    while os.getppid() == parent and parent != 1: time.sleep(0.001)
    time.sleep(0.02)
libc = ctypes.CDLL(None, use_errno=True)
def unshare_user():
    libc.prctl(4, 1)  # dumpable again, or /proc/self is root's
    if libc.unshare(0x10000000) < 0: raise OSError(ctypes.get_errno(), 'unshare')
    open('/proc/self/setgroups', 'w').write('deny')
    open('/proc/self/uid_map', 'w').write('0 ${NOBODY} 1')
    open('/proc/self/gid_map', 'w').write('0 ${NOBODY} 1')
def leave_connection():
    "A connection whose process has ended and is reaped, and that process's pid."
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        broker = connect()
        socket.send_fds(left, [b'x'], [broker.sock.fileno()])
        os._exit(0)
    fd = socket.recv_fds(right, 9, 1)[1][0]
    os.waitpid(pid, 0)
    return pid, fd
def reuse(pid, run):
    "False when a process of somebody else has that pid by now."
    for _ in range(100):
        open('/proc/sys/kernel/ns_last_pid', 'w').write(str(pid - 1))
        again = os.fork()
        if again == 0:
            if os.getpid() == pid: run()
            os._exit(0)
        os.waitpid(again, 0)
        if again == pid: return True
    return False
`

/** The trick, `count` times, each in a process of its own. */
const repeated = (trick: string, count: number) => `${PRELUDE}
all_ended, here = os.pipe()
os.set_inheritable(here, True)
for _ in range(${count}):
    sys.stdout.flush()
    if os.fork() == 0:
        os.setpgid(0, 0)
        try:
${trick.replaceAll('\n', '\n            ')}
        except Exception as error:
            say(type(error).__name__, error)
        finally:
            os._exit(0)
    os.wait()
os.close(here)
os.read(all_ended, 1)
say('end')
`

describe.runIf(IS_ROOT)('a peer that is not who connected (needs root)', () => {
  const count = times(3, 100)

  it.each(TRICKS)(`gets nothing: %s`, { timeout: 120_000 }, async (title, trick) => {
    const daemon = await startDaemon({ sockets: WEB })
    const worker = startWorker(daemon, repeated(trick, count))
    const answers: string[] = []
    for (let line = await worker.line(); line !== 'end'; line = await worker.line()) answers.push(line)
    expect(answers).toEqual(Array(count).fill('DENIED'))
    report(`identity: ${title}`, { tried: count, granted: 0 })
    const viewer = await Asker.connect(daemon.control)
    expect((await viewer.ask('stats')).grants).toBe(0)
    viewer.close()
    await worker.exit()
    await stopCleanly(daemon)
  })

  it('would be granted each of them if the broker asked only who connected: the same peers, as themselves', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const honest = startWorker(
      daemon,
      "tried = lambda broker, name: say(code(granted, broker, name))\ntried(connect(), 'root')",
    )
    expect(await honest.line()).toBe('ok')
    const one = startWorker(daemon, "say(code(granted, connect(), 'one'))", ONE)
    expect(await one.line()).toBe('ok')
    await Promise.all([honest.exit(), one.exit()])
    await stopCleanly(daemon)
  })
})

describe.runIf(IS_ROOT)('a broker in a user namespace that does not know every user (needs root)', () => {
  const inNamespace = ['unshare', '--user', '--map-root-user']

  it('shows them all as one, so a rule that names that one is refused', async () => {
    const overflow = execFileSync('cat', ['/proc/sys/kernel/overflowuid'], { encoding: 'utf8' }).trim()
    const directory = temporaryDirectory()
    const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:${overflow}", "group:65534"]`
    const daemon = launch(directory, writeConfig(directory, { sockets }), { through: inNamespace })
    expect(await exitOf(daemon)).toBe(100)
    expect(daemon.stderr()).toMatch(
      /allow\[0\]: user:65534 would hold for everyone that this user namespace does not know/,
    )
    expect(daemon.stderr()).toMatch(/allow\[1\]: group:65534 would hold/)
  })

  it('is named without harm where every user is known', async () => {
    const directory = temporaryDirectory()
    const daemon = await startDaemon({
      directory,
      sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:${NOBODY}"]`,
    })
    const worker = startWorker(daemon, "say(code(granted, connect(), 'web'))", NOBODY)
    expect(await worker.line()).toBe('ok')
    await worker.exit()
    await stopCleanly(daemon)
  })
})
