// What process-bound holders say by sd_notify(3) while the broker is replaced reaches the one that is the broker then.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { addon, constants } from '../../src/sys/addon.ts'
import { OwnedFd } from '../../src/sys/index.ts'
import { Asker, type Message } from '../support/asker.ts'
import { type Daemon, stopCleanly, until } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { seeded } from '../support/random.ts'
import { install, runUpgrade } from '../support/upgrade.ts'

forbidLeaks()
const installedCopy = useInstalledCopy()

const SOCKETS = `[sockets.web]
listen = "unix://{dir}/web.sock"
allow = ["user:${process.getuid!()}"]`
const LEASES = 40
const FROZEN = 'this one stops'

interface Holder {
  asker: Asker
  lease: number
  notify: string
}

async function hold(daemon: Daemon): Promise<Holder[]> {
  const holders: Holder[] = []
  for (let i = 0; i < LEASES; i++) {
    const asker = await Asker.connect(daemon.control)
    const { lease, notify } = (await asker.ask('acquire', { name: 'web', bind: 'process' })) as Message & Holder
    holders.push({ asker, lease, notify })
  }
  return holders
}

/** As a program does, whose sendto() blocks while the socket's queue is full. */
async function say(path: string, text: string): Promise<void> {
  using socket = new OwnedFd(addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0))
  const send = () => addon.sendTo(socket.fd, Buffer.from(text), null, constants.AF_UNIX, path, 0)
  let result = send()
  for (; result === -constants.errno.EAGAIN; result = send()) await sleep(1)
  if (result < 0) throw new Error(`sendto ${path}: ${result}`)
}

/** A shutdown would end this process: it is the holder. */
async function release(daemon: Daemon, holders: readonly Holder[]): Promise<void> {
  const back = await Asker.connect(daemon.control)
  for (const { asker, lease } of holders) {
    asker.close()
    expect(await back.ask('release', { lease })).toMatchObject({ ok: true })
  }
  back.close()
}

/** Leases whose READY=1 the broker has not heard. */
async function unheard(daemon: Daemon): Promise<number> {
  const asker = await Asker.connect(daemon.control)
  const { holders } = (await asker.ask('holders')) as { holders: Message[] }
  asker.close()
  expect(holders.filter(({ lease }) => lease !== null).length).toBe(LEASES)
  return holders.filter(({ state }) => state === 'granted').length
}

/** The new broker takes over so much later: the old one is frozen for so long. */
const slow = (copy: string, ms: number) =>
  install(copy, 'dist/sys/keeper.js', (text) =>
    text.replace(/^ {4}ready\(\) \{$/m, `    ready() { addon.wait(-1, 0, ${ms});`),
  )

/** The threads that receive go on while the broker is frozen. */
const unprotected = (copy: string) =>
  install(copy, 'dist/sys/notify-thread.js', (text) => text.replace('static hold() {', 'static hold() { return true;'))

async function sayWhileFrozen(copy: string): Promise<number> {
  const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, 'dist/cli/main.js') })
  const holders = await hold(daemon)
  const upgrade = runUpgrade(daemon)
  await until(() => daemon.logs().some(({ msg }) => String(msg).includes(FROZEN)), 'it is frozen')
  for (const { notify } of holders) {
    await say(notify, 'READY=1')
    await sleep(2)
  }
  expect((await upgrade).status).toBe(0)
  // What a new broker finds in its sockets it hears before anything that is sent now.
  await sleep(200)
  const lost = await unheard(daemon)
  await release(daemon, holders)
  await stopCleanly(daemon)
  return lost
}

it('messages are lost to an old broker that goes on receiving while it is frozen', async () => {
  const copy = installedCopy()
  unprotected(copy)
  slow(copy, 200)
  // When this machine is late, the old broker goes on, hears all, and the new one is asked for again.
  let lost = 0
  for (let tries = 0; tries < 5 && lost === 0; tries++) lost = await sayWhileFrozen(copy)
  expect(lost).toBeGreaterThan(0)
}, 60_000)

it('messages that come while the old broker is frozen are heard by the new one', async () => {
  const copy = installedCopy()
  slow(copy, 200)
  expect(await sayWhileFrozen(copy)).toBe(0)
})

const SEED = Number(process.env['FD_BROKER_SEED'] ?? 1)

it.each([
  ['that come to pass', 60, 0],
  ['that fail, when the new one is ended for being late', 1000, 1],
])(
  `messages at any time during upgrades %s are all heard (seed ${SEED})`,
  { timeout: 60_000 },
  async (_, ms, status) => {
    const copy = installedCopy()
    const daemon = await startKept({ sockets: SOCKETS, cli: join(copy, 'dist/cli/main.js') })
    const holders = await hold(daemon)
    const random = seeded(SEED)
    slow(copy, ms)
    let over = false
    const sent: Holder[] = []
    const talking = (async () => {
      for (const holder of holders) {
        await say(holder.notify, 'READY=1')
        sent.push(holder)
        while (!over && random() < 0.85) {
          await say(holder.notify, `STATUS=${sent.length}`)
          await sleep(5 * random())
        }
      }
    })()
    expect((await runUpgrade(daemon)).status).toBe(status)
    over = true
    await talking
    await until(async () => (await unheard(daemon)) === 0, 'all are heard')
    await release(daemon, holders)
    await stopCleanly(daemon)
  },
)
