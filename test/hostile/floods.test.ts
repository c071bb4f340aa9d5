import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { IS_ROOT, NOBODY, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { report, slowestAnswer, times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'
const OTHER = 60_001

/** An honest worker of another user: so many grants, each on a connection of its own, and how many were served. */
const HONEST = `
count, served = int(wait()), 0
for _ in range(count):
    broker = connect()
    lease = granted(broker, 'web', ready=True)
    broker.release(lease.id)
    broker.close()
    served += 1
say(served)
`

const MANY = `
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
def raw():
    while True:
        one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            one.connect(sys.argv[2])
            return one
        except BlockingIOError: one.close()
`

async function honestly(daemon: { directory: string; control: string }, count: number): Promise<number> {
  const worker = startWorker(daemon, HONEST, OTHER)
  worker.write(String(count))
  const served = Number(await worker.line())
  await worker.exit()
  return served
}

describe.runIf(IS_ROOT)('a user who floods the broker (needs root)', () => {
  const idle = times(1500, 10_000)
  it(`with ${idle} idle connections keeps its quota, and keeps nobody else from being served`, {
    timeout: 120_000,
  }, async () => {
    const daemon = await startDaemon({ sockets: WEB, broker: 'max_connections_per_uid = 1000\nhello_timeout = "10m"' })
    const before = daemon.fds()
    const flood = `${MANY}
kept = []
for _ in range(${idle}):
    try: kept.append(raw())
    except (ConnectionRefusedError, BrokenPipeError): pass
say(len(kept))
wait()`
    const crowd = startWorker(daemon, flood, NOBODY)
    const made = Number(await crowd.line())
    const served = await honestly(daemon, 50)
    const viewer = await Asker.connect(daemon.control)
    // Some of those that are too many wait a moment for their answer.
    const counted = async () => Number((await viewer.ask('stats')).connections)
    await until(async () => (await counted()) === 1001, 'the quota holds')
    const connections = await counted()
    report('idle connections of one uid', { made, open: connections, served: `${served}/50` })
    expect(served).toBe(50)
    expect(connections).toBe(1001)
    viewer.close()
    crowd.write('')
    await crowd.exit()
    await until(() => daemon.fds() === before, 'all are closed')
    await stopCleanly(daemon)
  })

  it('with requests is told LIMIT, and keeps nobody else from being served', { timeout: 60_000 }, async () => {
    const daemon = await startDaemon({ sockets: WEB, broker: 'max_requests_per_uid = 100' })
    const flood = `
import threading
counts = {}
def run():
    broker = connect()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        ids = [broker.start('release', lease=1) for _ in range(20)]
        for each in ids:
            answer = code(broker.wait, each)
            counts[answer] = counts.get(answer, 0) + 1
threads = [threading.Thread(target=run) for _ in range(4)]
say('begun')
for each in threads: each.start()
for each in threads: each.join()
say(counts.get('LIMIT', 0), sum(counts.values()))
`
    const crowd = startWorker(daemon, flood, NOBODY)
    await crowd.line()
    let served = 0
    const slowest = await slowestAnswer(daemon.control, async () => {
      served = await honestly(daemon, 20)
    })
    const [limited, sent] = (await crowd.line()).split(' ').map(Number)
    report('requests of one uid', { sent: sent!, limited: limited!, served: `${served}/20`, slowest })
    expect(served).toBe(20)
    expect(limited).toBeGreaterThan(sent! - 5 * 100)
    expect(sent! - limited!).toBeGreaterThan(0)
    await crowd.exit()
    await stopCleanly(daemon)
  })
})

const vanishing = times(300, 10_000)
it(`${vanishing} clients that vanish in the middle of a request leave nothing behind`, {
  timeout: 300_000,
}, async () => {
  const daemon = await startDaemon({ sockets: WEB })
  const before = daemon.fds()
  const crowd = startWorker(
    daemon,
    `
from msgpack_lite import pack
packets = [pack({'id': 0, 'op': 'hello', 'version': 1}), pack({'id': 1, 'op': 'acquire', 'name': 'web'}), pack({'id': 2, 'op': 'list'})]
for at in range(${vanishing}):
    one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.connect(sys.argv[2])
    try:
        for packet in packets[:at % 4]: one.send(packet)
        if at % 5 == 0: one.shutdown(socket.SHUT_WR if at % 2 else socket.SHUT_RD)
        if at % 7 == 0: one.send(b'')
    except OSError: pass
    one.close()
say('gone')
`,
  )
  await crowd.line()
  await crowd.exit()
  const viewer = await Asker.connect(daemon.control)
  await until(async () => ((await viewer.ask('holders')).holders as unknown[]).length === 0, 'no lease is left')
  viewer.close()
  await until(() => daemon.fds() === before, 'as many descriptors as before')
  report('vanishing clients', { count: vanishing, left: daemon.fds() - before })
  await stopCleanly(daemon)
})

const deaf = times(20, 200)
it(`${deaf} clients that never read are cut off; the others are served meanwhile`, { timeout: 120_000 }, async () => {
  const daemon = await startDaemon({ sockets: WEB, broker: 'viewers = ["any"]\nmax_requests_per_uid = 1000000' })
  const before = { fds: daemon.fds(), rss: daemon.rss() }
  const crowd = startWorker(
    daemon,
    `
from msgpack_lite import pack
kept = []
for _ in range(${deaf}):
    broker = connect()
    broker.sock.setblocking(False)
    kept.append(broker)
    try:
        for at in range(2, 3000): broker.sock.send(pack({'id': at, 'op': 'list'}))
    except (BlockingIOError, BrokenPipeError, ConnectionResetError): pass
say('sent')
wait()
`,
  )
  const slowest = await slowestAnswer(daemon.control, async () => {
    await crowd.line()
    const cut = () => daemon.logs().filter(({ msg }) => msg === 'connection closed: the peer does not read').length
    await until(() => cut() === deaf, 'all are cut off', 60_000)
  })
  report('clients that never read', { count: deaf, slowest, grown: daemon.rss() - before.rss })
  crowd.write('')
  await crowd.exit()
  await until(() => daemon.fds() === before.fds, 'as many descriptors as before')
  expect(daemon.rss() - before.rss).toBeLessThan(deaf * 512 * 1024 + 32 * 1024 * 1024)
  await stopCleanly(daemon)
})
