import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { CLI, IS_ROOT, NOBODY, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { run } from '../support/exec.ts'
import { killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const SOCKETS = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:${process.getuid!()}", "user:daemon exe:/bin/nothing"]
[sockets.api]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]`

it('history tells what happened, to whom, why and how long it took, the oldest first', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const worker = await Asker.connect(daemon.control)
  const before = Date.now()
  const first = await worker.lease('web', { generation: 'g1' })
  await worker.ask('ready', { lease: first })
  const second = await worker.lease('web', { takeover: true, generation: 'v2', label: 'blue' })
  await worker.ask('ready', { lease: second })
  await worker.ask('release', { lease: first })
  await worker.ask('drain', { name: 'web', timeout: 5000 })
  await worker.ask('release', { lease: second })
  await worker.lease('api')

  const { events } = (await worker.ask('history', { name: 'web' })) as { events: Record<string, unknown>[] }
  const who = { pid: process.pid, uid: process.getuid!() }
  expect(events).toMatchObject([
    { event: 'granted', lease: first, generation: 'g1', ...who },
    { event: 'ready', lease: first, after: expect.any(Number) },
    { event: 'granted', lease: second, generation: 'v2', label: 'blue' },
    { event: 'ready', lease: second },
    { event: 'promoted', generation: 'v2', former: 'g1', after: expect.any(Number) },
    { event: 'drain', lease: first, reason: 'takeover' },
    { event: 'released', lease: first, held: expect.any(Number), drained: expect.any(Number) },
    { event: 'admin', op: 'drain', name: 'web', timeout: 5000, ...who },
    { event: 'drain', lease: second, reason: 'admin' },
    { event: 'released', lease: second },
  ])
  expect(events.every(({ at }) => (at as number) >= before && (at as number) <= Date.now())).toBe(true)
  expect((await worker.ask('history', { limit: 1 }))['events']).toMatchObject([{ event: 'granted', name: 'api' }])
  expect((await worker.ask('history', { since: Date.now() + 60_000 }))['events']).toEqual([])

  const table = await run(daemon, [CLI, 'history', '--name', 'web', '--since', '1h'], { file: process.execPath })
  expect(table.stdout.trimEnd().split('\n')).toHaveLength(events.length)
  expect(table.stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z granted {4}name=web lease=1 /)
  const json = await run(daemon, [CLI, 'history', '--name', 'web', '--json'], { file: process.execPath })
  const lines = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ seq, event }) => [seq, event])).toEqual(events.map(({ seq, event }) => [seq, event]))
  worker.close()
  await stopCleanly(daemon)
})

it.runIf(IS_ROOT)('tells viewers which rule a refused peer lacked, and never the peer (needs root)', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const peer = startWorker(
    daemon,
    `
os.setgroups([]); os.setgid(${NOBODY}); os.setuid(${NOBODY})
broker = connect()
try: broker.acquire('web')
except BrokerError as refusal: say(refusal)
wait()
`,
  )
  const told = await peer.line()
  const viewer = await Asker.connect(daemon.control)
  const { events } = (await viewer.ask('history')) as { events: Record<string, unknown>[] }
  const missing = ['user:root', 'user:daemon exe:/bin/nothing']
  expect(events).toMatchObject([{ event: 'denied', name: 'web', uid: NOBODY, pid: peer.pid, missing }])
  await until(() => daemon.logs().some(({ msg }) => msg === 'denied'), 'the log has it')
  expect(daemon.logs().find(({ msg }) => msg === 'denied')).toMatchObject({ name: 'web', uid: NOBODY, missing })
  expect(told).not.toMatch(/daemon|root|exe:/)
  viewer.close()
  peer.write('')
  await peer.exit()
  await stopCleanly(daemon)
})

it('history goes on over a broker’s death, under its keeper', async () => {
  const daemon = await startKept({ sockets: SOCKETS })
  const before = await Asker.connect(daemon.control)
  await before.ask('release', { lease: await before.lease('web', { ready: true }) })
  const told = async (asker: Asker) => {
    const { events } = (await asker.ask('history', { name: 'web' })) as { events: Record<string, unknown>[] }
    return events.map(({ seq, event }) => [Number(seq), event])
  }
  const past = await told(before)
  expect(past.map(([, event]) => event)).toEqual(['granted', 'ready', 'released'])
  before.close()
  await killBroker(daemon)
  const after = await Asker.connect(daemon.control)
  expect(await told(after)).toEqual(past)
  await after.lease('web')
  expect((await told(after)).at(-1)).toEqual([(past.at(-1)![0] as number) + 1, 'granted'])
  after.close()
})
