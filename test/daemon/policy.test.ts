import { describe, expect, it } from 'vitest'
import { canMakeCgroups, makeCgroup } from '../support/cgroup.ts'
import { type Daemon, IS_ROOT, NOBODY, startDaemon, stopCleanly } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { RawClient } from '../support/raw-client.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const STRANGER = 65533
const TEAM = 64001

const name = (name: string, ...allow: string[]) =>
  `[sockets.${name}]\nlisten = "unix://@fd-broker-test/${process.pid}/${name}"\n${allow.length > 0 ? `allow = ${JSON.stringify(allow)}` : ''}\n`

interface Identity {
  uid: number
  gid?: number
  groups?: number[]
}

/** What a process of this identity is answered for each name. */
async function answers(daemon: Daemon, { uid, gid = uid, groups = [] }: Identity, ...names: string[]) {
  const worker = startWorker(
    daemon,
    `
os.setgroups([${groups}]); os.setgid(${gid}); os.setuid(${uid})
broker = connect()
for name in ${JSON.stringify(names)}:
    say(name, code(granted, broker, name))
`,
  )
  const lines: [string, string][] = []
  for (const _ of names) lines.push((await worker.line()).split(' ') as [string, string])
  await worker.exit()
  return Object.fromEntries(lines)
}

describe.runIf(IS_ROOT)('policy (needs root)', () => {
  it('is to deny: without a rule nobody may, root included, and a rule for another changes nothing', async () => {
    const daemon = await startDaemon({ sockets: name('none') + name('other', `user:${NOBODY}`) })
    expect(await answers(daemon, { uid: 0 }, 'none', 'other')).toEqual({ none: 'DENIED', other: 'DENIED' })
    await stopCleanly(daemon)
  })

  it('knows users, primary and supplementary groups, and anyone', async () => {
    const sockets =
      name('user', `user:${NOBODY}`) + name('group', `group:${TEAM}`) + name('root', 'user:root') + name('any', 'any')
    const daemon = await startDaemon({ sockets })
    const asked = ['user', 'group', 'root', 'any']
    const allowed = async (identity: Identity) => {
      const got = await answers(daemon, identity, ...asked)
      return asked.filter((one) => got[one] === 'ok')
    }
    expect(await allowed({ uid: NOBODY })).toEqual(['user', 'any'])
    expect(await allowed({ uid: STRANGER })).toEqual(['any'])
    expect(await allowed({ uid: STRANGER, gid: TEAM })).toEqual(['group', 'any'])
    expect(await allowed({ uid: STRANGER, groups: [7, TEAM, 9] })).toEqual(['group', 'any'])
    expect(await allowed({ uid: 0 })).toEqual(['root', 'any'])
    await stopCleanly(daemon)
  })

  it('needs all conditions of a rule, and one rule of a list', async () => {
    const sockets =
      name('both', `user:${NOBODY} group:${TEAM}`) + name('either', `user:${NOBODY}`, `group:${TEAM} user:${STRANGER}`)
    const daemon = await startDaemon({ sockets })
    const ask = (identity: Identity) => answers(daemon, identity, 'both', 'either')
    expect(await ask({ uid: NOBODY })).toEqual({ both: 'DENIED', either: 'ok' })
    expect(await ask({ uid: NOBODY, groups: [TEAM] })).toEqual({ both: 'ok', either: 'ok' })
    expect(await ask({ uid: STRANGER, groups: [TEAM] })).toEqual({ both: 'DENIED', either: 'ok' })
    expect(await ask({ uid: STRANGER })).toEqual({ both: 'DENIED', either: 'DENIED' })
    await stopCleanly(daemon)
  })

  it('knows the program of a peer by the kernel’s word', async () => {
    const probe = startPython("say(os.readlink('/proc/self/exe'))")
    const exe = await probe.line()
    await probe.exit()
    const daemon = await startDaemon({
      sockets:
        name('same', `exe:${exe}`) + name('other', 'exe:/usr/bin/true') + name('and', `exe:${exe} user:${NOBODY}`),
    })
    expect(await answers(daemon, { uid: 0 }, 'same', 'other', 'and')).toEqual({
      same: 'ok',
      other: 'DENIED',
      and: 'DENIED',
    })
    await stopCleanly(daemon)
  })

  it('refuses a connection that a child inherited from the process that made it', async () => {
    const daemon = await startDaemon({ sockets: name('any', 'any') })
    const worker = startWorker(
      daemon,
      `
broker = connect()
if os.fork() == 0:
    say(code(granted, broker, 'any'))
    os._exit(0)
os.wait()
say(code(granted, broker, 'any'))
`,
    )
    expect([await worker.line(), await worker.line()]).toEqual(['DENIED', 'ok'])
    await worker.exit()
    await stopCleanly(daemon)
  })

  it('refuses a peer that changed its user after it had connected', async () => {
    const daemon = await startDaemon({ sockets: name('any', 'any') })
    const worker = startWorker(
      daemon,
      `
broker = connect()
say(code(granted, broker, 'any'))
os.setuid(${NOBODY})
say(code(granted, broker, 'any'))
say(code(granted, connect(), 'any'))
`,
    )
    expect([await worker.line(), await worker.line(), await worker.line()]).toEqual(['ok', 'DENIED', 'ok'])
    await worker.exit()
    await stopCleanly(daemon)
  })
})

describe.runIf(IS_ROOT && canMakeCgroups())('policy (needs root and control groups of version 2)', () => {
  it('knows the control group and the systemd unit of a peer', async () => {
    const slice = `fdbroker${process.pid}.slice`
    const group = makeCgroup(`${slice}/web.service`)
    const daemon = await startDaemon({
      sockets:
        name('unit', 'unit:web.service') +
        name('other-unit', 'unit:we.service') +
        name('prefix', `cgroup:/${slice}`) +
        name('half-prefix', `cgroup:/${slice.slice(0, -3)}`),
    })
    const asked = ['unit', 'other-unit', 'prefix', 'half-prefix']
    const program = (enter: string) => `
${enter}
broker = connect()
say(*[code(granted, broker, name) for name in ${JSON.stringify(asked)}])
`
    const inside = startWorker(daemon, program(`open('${group}/cgroup.procs', 'w').write(str(os.getpid()))`))
    expect(await inside.line()).toBe('ok DENIED ok DENIED')
    await inside.exit()
    const outside = startWorker(daemon, program(''))
    expect(await outside.line()).toBe('DENIED DENIED DENIED DENIED')
    await outside.exit()
    await stopCleanly(daemon)
  })
})

describe.runIf(IS_ROOT)('who may look (needs root)', () => {
  const sockets = name('closed', `user:${STRANGER}`)

  it('gets bytes that are the same for a name that is denied and one that does not exist, unless it may list', async () => {
    const daemon = await startDaemon({ sockets })
    const worker = startWorker(
      daemon,
      `
from msgpack_lite import pack
def bytes_for(name):
    broker = connect()
    broker.send_raw(pack({'id': 7, 'op': 'acquire', 'name': name}))
    return broker.sock.recv(65536)
say(bytes_for('closed').hex())
say(bytes_for('absent').hex())
`,
      NOBODY,
    )
    const [closed, absent] = [await worker.line(), await worker.line()].map((hex) => Buffer.from(hex, 'hex'))
    expect(closed!.includes('DENIED')).toBe(true)
    expect(absent!.toString('latin1').replaceAll('absent', 'closed')).toBe(closed!.toString('latin1'))
    await worker.exit()
    await stopCleanly(daemon)
  })

  it('is a viewer or an admin: these are told NOT_FOUND, and what is there', async () => {
    const daemon = await startDaemon({ sockets, broker: `viewers = ["user:${NOBODY}"]` })
    const program = `
broker = connect()
say(code(granted, broker, 'closed'), code(granted, broker, 'absent'))
say(code(broker.list), code(broker.holders), code(broker.stats), code(broker.holders, 'absent'))
`
    for (const uid of [NOBODY, 0]) {
      const viewer = startWorker(daemon, program, uid)
      expect([await viewer.line(), await viewer.line()]).toEqual(['DENIED NOT_FOUND', 'ok ok ok NOT_FOUND'])
      await viewer.exit()
    }
    const stranger = startWorker(daemon, program, 65532)
    expect([await stranger.line(), await stranger.line()]).toEqual(['DENIED DENIED', 'DENIED DENIED DENIED DENIED'])
    await stranger.exit()
    await stopCleanly(daemon)
  })

  it('is nobody else when `admins` names others than root', async () => {
    const daemon = await startDaemon({ sockets, broker: `admins = ["user:${NOBODY}"]` })
    const program = 'say(code(connect().list))'
    const [admin, root] = [startWorker(daemon, program, NOBODY), startWorker(daemon, program, 0)]
    expect([await admin.line(), await root.line()]).toEqual(['ok', 'DENIED'])
    await Promise.all([admin.exit(), root.exit()])
    await stopCleanly(daemon)
  })

  it('is answered DENIED for a lease of another connection, whether it exists or not', async () => {
    const daemon = await startDaemon({ sockets: name('any', 'any') })
    const [one, other] = [new RawClient(daemon.control), new RawClient(daemon.control)]
    await one.hello()
    await other.hello()
    const { message, fds } = await one.ask(1, 'acquire', { name: 'any' })
    for (const fd of fds) fd.close()
    const lease = message['lease'] as number
    for (const op of ['ready', 'release', 'sockets']) {
      const { message: real } = await other.ask(2, op, { lease })
      const { message: none } = await other.ask(2, op, { lease: lease + 1 })
      expect(real).toMatchObject({ ok: false, code: 'DENIED' })
      expect(String(none['message']).replaceAll(String(lease + 1), String(lease))).toBe(real['message'])
    }
    one.close()
    other.close()
    await stopCleanly(daemon)
  })
})
