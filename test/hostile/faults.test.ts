// Every system call that the addon makes for a broker that serves, and those by which node:fs changes files, fails as often as not, with
// each error that says that something is short or that it may be tried again. Nothing of that ends the broker, costs a peer that it serves
// its connection, or leaves a descriptor or a lease behind.

import { readdirSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { addon, constants as c, type ErrnoName } from '../../src/sys/addon.ts'
import type { OwnedFd } from '../../src/sys/index.ts'
import { Asker, closeAll } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { type Daemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { CALLS, type Call, prepareFaults } from '../support/faults.ts'
import { FULL, report, times } from '../support/hostile.ts'
import { brokerPid, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, type Python } from '../support/python.ts'
import { rewrite } from '../support/reloading.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const ERRORS: readonly ErrnoName[] = ['ENOMEM', 'EMFILE', 'ENOBUFS', 'ETOOMANYREFS', 'EAGAIN', 'EINTR']
/** One after the other for one call after the other, where not all are tried. */
const errorsOf = (call: Call) => (FULL ? ERRORS : [ERRORS[CALLS.indexOf(call) % ERRORS.length]!])
/** What else the broker does in two rounds fails too seldom to be sure of it. */
const SURE: readonly Call[] = [
  'accept4',
  'recvmsg',
  'sendmsg',
  'getsockopt',
  'setsockopt',
  'fcntl64',
  'fstat64',
  'poll',
  'openat64',
  'readlinkat',
  'pwrite64',
]

const named = (name: string) =>
  `[sockets.${name}]\nlisten = ["tcp://127.0.0.1:0", "unix://{dir}/${name}/sock", "udp://127.0.0.1:0"]\nallow = ["any"]\ndrain_timeout = "300ms"\n`

const SOCKETS = `${named('web')}${named('two')}${named('one')}mode = "exclusive"\n`

const METRICS = 'metrics = "unix://{dir}/metrics.sock"'

/** A process that takes a lease as a program would, says by its notify socket that it is ready, and gives it back; whatever is answered. */
const PROGRAM = `
for line in sys.stdin:
    try:
        with connect() as broker:
            lease = granted(broker, 'web', bind='process')
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one: one.sendto(b'READY=1\\nMAINPID=1', lease.answer['notify'])
            broker.release(lease.id)
    except (BrokerError, OSError): pass
    say('over')
`

interface Peers {
  daemon: Daemon
  holder: Asker
  lease: number
  fds: readonly OwnedFd[]
  program: Python
}

/** All that a broker is asked to do, once. Any answer will do, but there must be one. */
async function askEverything({ daemon, holder, lease, fds, program }: Peers, round: number): Promise<void> {
  const asks = [
    ['sockets', { lease }],
    ['list', {}],
    ['holders', {}],
    ['stats', {}],
    ['history', {}],
  ] as const
  for (const [op, args] of asks) expect(await holder.ask(op, args)).toHaveProperty('ok')
  // One that connects while the broker has no descriptor or memory for it may be shed.
  const late = await Asker.connect(daemon.control).catch(() => undefined)
  for (const name of ['web', 'one', 'two', 'two']) {
    await late?.ask('acquire', { name, takeover: name === 'two', ready: true }).catch(() => {})
  }
  late?.close()
  for (const op of ['pause', 'drain', 'resume']) expect(await holder.ask(op, { name: 'two' })).toHaveProperty('ok')
  await fetchMetrics(daemon)
  program.write('go')
  await program.line()
  addon.shutdown(fds[0]!.fd, c.SHUT_RDWR)
  rewrite(daemon, SOCKETS + (round % 2 === 0 ? named('other') : ''), METRICS)
  expect(await holder.ask('reload')).toHaveProperty('ok')
  // After the look for copies of what the lease of an exclusive name was for.
  await sleep(300)
}

/** Whatever is answered. */
function fetchMetrics({ directory }: Daemon): Promise<void> {
  return new Promise((resolve) => {
    const asked = get({ agent: false, socketPath: `${directory}/metrics.sock`, path: '/metrics' }, (answer) =>
      answer.resume(),
    )
    asked.once('error', () => {})
    asked.once('close', resolve)
  })
}

const rounds = times(2, 20)
it.each(CALLS)(
  '%s, where half of them fail, neither ends the broker nor costs a peer that it serves its connection',
  {
    timeout: FULL ? 600_000 : 30_000,
  },
  async (call) => {
    const directory = temporaryDirectory()
    const faults = prepareFaults(directory)
    const daemon = await startKept({ directory, env: faults.env, broker: METRICS, sockets: SOCKETS })
    const holder = await Asker.connect(daemon.control)
    const { message, fds } = await holder.received('acquire', { name: 'web', ready: true })
    atEnd(() => closeAll(fds))
    const lease = message['lease'] as number
    const broker = await brokerPid(daemon)
    const program = startWorker(daemon, PROGRAM)
    const open = () => readdirSync(`/proc/${broker}/fd`).length
    const before = open()
    const sites = new Set<number>()
    let failed = 0
    try {
      for (const error of errorsOf(call)) {
        faults.start(call, error)
        for (let round = 0; round < rounds; round++) await askEverything({ daemon, holder, lease, fds, program }, round)
        const told = faults.stop()
        failed += told.injected
        for (const site of told.sites) sites.add(site)
        expect([error, await brokerPid(daemon), holder.client.closed]).toEqual([error, broker, false])
      }
      if (FULL || SURE.includes(call)) expect(failed).toBeGreaterThan(0)
      report(`faults: ${call}`, { failed, sites: sites.size })
      expect(await holder.ask('sockets', { lease })).toMatchObject({ ok: true })
      rewrite(daemon, SOCKETS, METRICS)
      await until(async () => (await holder.ask('reload'))['ok'] === true, 'a reload')
      const leases = async () =>
        ((await holder.ask('holders'))['holders'] as { lease: number | null }[]).filter((one) => one.lease !== null)
      await until(async () => (await leases()).length === 1, 'only its own lease is left')
      program.process.stdin!.end()
      await program.exit()
      await until(() => open() <= before, 'as many descriptors as before', 20_000)
    } catch (cause) {
      throw new Error(`with these lines of the broker:\n${daemon.stderr()}`, { cause })
    }
    holder.close()
    await stopCleanly(daemon)
  },
)
