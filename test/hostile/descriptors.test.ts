import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { type Daemon, startDaemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { bombs, olderKernel, report, times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { type Compared, compareStalls } from '../support/stalls.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'
const LINGER = 3
/** What a stall may be, of what it is without protection. */
const SHARE = 1 / 10

function tell(what: string, { attacked, idle }: Compared): void {
  const { answers, p50, p99, max } = attacked
  report(what, { answers, p50, p99, max, idleP50: idle.p50, idleP99: idle.p99, idleMax: idle.max })
}

async function start(kernel: 'this' | 'older'): Promise<Daemon> {
  const directory = temporaryDirectory()
  const env = kernel === 'older' ? olderKernel(directory) : {}
  return startDaemon({ sockets: WEB, directory, env, broker: 'hello_timeout = "1s"' })
}

/** What each way costs a receiver that does nothing about it, in seconds. */
const REFERENCE = `${bombs(LINGER)}
def pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
def took(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start
one, other = pair()
push(one, b'x', bomb())
data, control, _, _ = other.recvmsg(64, 1024)
received = took(lambda: os.close(array.array('i', control[0][2])[0]))
push(one, b'x', bomb())
ignored = took(lambda: other.recv(64))
push(one, b'x', bomb())
queued = took(other.close)
say(received, ignored, queued)
`

const WAYS: [string, string][] = [
  ['received', "push(s, pack({'id': 2, 'op': 'stats'}), bomb())"],
  ['received without a hello', "s.close(); s = raw(); push(s, b'', bomb())"],
  ['in the queue of a connection that is closed', "s.send(b'\\xc1'); push(s, b'x', bomb())"],
  ['in the queue of one that never says hello', "s.close(); s = raw(); push(s, b'x', bomb()); time.sleep(1.2)"],
  [
    'received by a notify socket',
    "push(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), b'STATUS=x', bomb(), granted(broker, 'web', bind='process').answer['notify'])",
  ],
]

const bombing = (way: string) => `${bombs(LINGER)}
from msgpack_lite import pack
def raw():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[2])
    return s
refused = 0
for _ in range(3):
    broker = connect()
    s = broker.sock
    try:
        ${way}
    except PermissionError: refused += 1
    except (BrokenPipeError, ConnectionResetError): pass
say(refused)
wait()
`

describe('a descriptor whose release blocks', () => {
  it('holds a receiver that closes it, ignores it, or closes the connection with it queued, for as long as it likes', async () => {
    const seconds = (await startPython(REFERENCE).line()).split(' ').map(Number)
    for (const each of seconds) expect(each).toBeGreaterThan(LINGER * 0.9)
    report('linger bomb, unprotected', { received: seconds[0]!, ignored: seconds[1]!, queued: seconds[2]! })
  }, 60_000)

  describe.each(['this', 'older'] as const)('on %s kernel', (kernel) => {
    it.each(WAYS)('does not hold the broker: %s', { timeout: 60_000 }, async (what, way) => {
      const [daemon, idle] = [await start(kernel), await start(kernel)]
      const before = daemon.fds()
      const worker = startWorker(daemon, bombing(way))
      let refused = ''
      const attack = async () => (refused = await worker.line())
      const stalls = await compareStalls(daemon, idle, attack, LINGER * 500)
      tell(`linger bomb, ${kernel} kernel, ${what}`, stalls)
      // What the idle broker's answers took is not the bomb's.
      expect(stalls.attacked.max).toBeLessThan(LINGER * 1000 * SHARE + stalls.idle.max)
      if (kernel === 'older') expect(refused).toBe('0')
      worker.write('')
      await worker.exit()
      await until(() => daemon.fds() === before, 'all are closed in the end', 20_000)
      expect(await daemon.stop()).toBe(0)
      expect(await idle.stop()).toBe(0)
    })
  })

  it('would be seen: a broker that stands still for a third of that is told from an idle one', async () => {
    const [daemon, idle] = [await start('this'), await start('this')]
    const standStill = async () => {
      await sleep(200)
      daemon.process.kill('SIGSTOP')
      await sleep(LINGER * 300)
      daemon.process.kill('SIGCONT')
    }
    const { attacked, idle: other } = await compareStalls(daemon, idle, standStill, 200)
    expect(attacked.max).toBeGreaterThan(LINGER * 290)
    expect(attacked.max).toBeGreaterThan(LINGER * 1000 * SHARE + other.max)
    expect(await daemon.stop()).toBe(0)
    expect(await idle.stop()).toBe(0)
  })
})

const SPRAY = `
null = os.open('/dev/null', os.O_RDONLY)
count, refused = int(wait()), 0
for _ in range(count):
    try:
        broker = connect()
        broker.send_raw(b'x', [null] * 253)
        broker.receive()
    except PermissionError: refused += 1
    except BrokerError: pass
    broker.close()
say(refused)
`

describe.each(['this', 'older'] as const)('253 descriptors with a packet, on %s kernel', (kernel) => {
  const count = times(100, 10_000)
  it(`× ${count} leave none behind`, { timeout: 600_000 }, async () => {
    const daemon = await start(kernel)
    const before = daemon.fds()
    const worker = startWorker(daemon, SPRAY)
    worker.write(String(count))
    const refused = Number(await worker.line())
    expect([0, count]).toContain(refused)
    if (kernel === 'older') expect(refused).toBe(0)
    await until(() => daemon.fds() === before, 'as many descriptors as before')
    report(`fd spray, ${kernel} kernel`, { count, refused, left: daemon.fds() - before })
    const honest = await Asker.connect(daemon.control)
    await honest.lease('web', { ready: true })
    honest.close()
    await worker.exit()
    await stopCleanly(daemon)
  })
})
