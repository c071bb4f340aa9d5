// What the kernel has no way back from: the socket stays broken where the guard is off, and has a successor where it is on.

import { describe, expect, it } from 'vitest'
import { Asker, type Message } from '../support/asker.ts'
import { Attacker } from '../support/attacker.ts'
import { IS_ROOT, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'

forbidLeaks()
endPythons()

interface Row {
  type: 'unix' | 'unix-dgram' | 'udp' | 'udp6' | 'tcp'
  what: string
  attack: string
  /** Python of another holder, with the name's path or port as `at`: true when the socket is as it should be. */
  probe: string
}

const CONNECT = 'socket.socket(socket.AF_UNIX).connect(at) or True'
const RECEIVE = "held.settimeout(1) or client.sendto(b'x', at) and held.recv(9) == b'x'"
const SEND = "client.bind(anywhere) or held.sendto(b'x', client.getsockname()) == 1 and client.recv(9) == b'x'"
const WAIT = 'hangup() == []'
/** A filter that keeps no byte, and that nobody can detach again. */
const DROP_ALL = 'drop_all(); opt(SOL, 44, 1)'

const ROWS: Row[] = [
  { type: 'unix', what: 'shutdown', attack: 'held.shutdown(socket.SHUT_RD)', probe: CONNECT },
  { type: 'unix', what: 'shutdown', attack: 'held.shutdown(socket.SHUT_RDWR)', probe: CONNECT },
  { type: 'unix-dgram', what: 'shutdown', attack: 'held.shutdown(socket.SHUT_RD)', probe: RECEIVE },
  { type: 'unix-dgram', what: 'shutdown', attack: 'held.shutdown(socket.SHUT_WR)', probe: SEND },
  { type: 'unix-dgram', what: 'shutdown', attack: 'held.shutdown(socket.SHUT_RDWR)', probe: RECEIVE },
  { type: 'udp', what: 'shutdown', attack: 'libc.shutdown(held.fileno(), 0)', probe: WAIT },
  { type: 'udp', what: 'shutdown', attack: 'libc.shutdown(held.fileno(), 1)', probe: SEND },
  { type: 'udp6', what: 'shutdown', attack: 'libc.shutdown(held.fileno(), 1)', probe: SEND },
  { type: 'udp', what: 'shutdown', attack: 'libc.shutdown(held.fileno(), 2)', probe: `${WAIT} and (${SEND})` },
  { type: 'udp', what: 'filter', attack: DROP_ALL, probe: RECEIVE },
  {
    type: 'tcp',
    what: 'TCP_WINDOW_CLAMP',
    attack: 'opt(TCP, socket.TCP_WINDOW_CLAMP, 1)',
    probe: 'held.getsockopt(TCP, socket.TCP_WINDOW_CLAMP) == 0',
  },
]

const HOSTS: Partial<Record<Row['type'], string>> = { tcp: '127.0.0.1', udp: '127.0.0.1', udp6: '[::1]' }

describe.runIf(IS_ROOT)('what a holder does for good (needs root, to be another user)', () => {
  it.each(ROWS)(
    '$type: $what by `$attack` stays where the guard is off; where it is on the socket has a successor',
    async (row) => {
      const directory = temporaryDirectory()
      const listen = (name: string) =>
        row.type in HOSTS ? `${row.type.slice(0, 3)}://${HOSTS[row.type]}:0` : `${row.type}://${directory}/${name}`
      const table = (name: string) =>
        `[sockets.${name}]\nlisten = "${listen(name)}"\nallow = ["any"]\nguard = ${name === 'guarded'}\n`
      const daemon = await startDaemon({ sockets: table('open') + table('guarded'), directory })
      const attacker = await Attacker.hold(daemon.control, ['open', 'guarded'])
      const viewer = await Asker.connect(daemon.control)
      const before = await socketOf(viewer, 'guarded')
      for (const name of ['open', 'guarded']) expect(await attacker.run(row.attack, name)).toBe('done')
      await until(async () => (await socketOf(viewer, 'guarded'))['cookie'] !== before['cookie'], 'another socket')

      const visitor = await Attacker.hold(daemon.control, ['open', 'guarded'], 3)
      const look = async (name: string) => {
        const at = String((await socketOf(viewer, name))['address']).split('//')[1]!
        const host = HOSTS[row.type]?.replace(/[[\]]/g, '')
        const place = (port: string) => (host === undefined ? JSON.stringify(at) : `('${host}', ${port})`)
        const anywhere = host === undefined ? "''" : place('0')
        await visitor.run(`at = ${place(at.split(':').at(-1)!)}; anywhere = ${anywhere}`, name)
        await visitor.run('client = socket.socket(held.family, socket.SOCK_DGRAM); client.settimeout(1)', name)
        return visitor.value(row.probe, name)
      }
      expect(await look('guarded')).toBe('True')
      expect(await look('open')).not.toBe('True')
      const [told] = daemon.logs().filter(({ msg }) => String(msg).endsWith(': repaired'))
      expect(told).toMatchObject({ name: 'guarded', what: [row.what], replaced: true, address: before['address'] })
      expect(told!['suspects']).toEqual([{ lease: 2, pid: attacker.pid, user: 'nobody' }])
      viewer.close()
    },
  )

  it('an abstract name is lost while a holder keeps it, and there again when it is released', async () => {
    const at = `fd-broker-test-${process.pid}`
    const daemon = await startDaemon({ sockets: `[sockets.a]\nlisten = "unix://@${at}"\nallow = ["any"]\n` })
    const attacker = await Attacker.hold(daemon.control, ['a'])
    const viewer = await Asker.connect(daemon.control)
    const state = async () => ((await viewer.ask('list'))['sockets'] as Message[])[0]!['state']
    await attacker.run('held.shutdown(socket.SHUT_RDWR)')
    await until(async () => (await state()) === 'lost', 'the name is lost')
    expect(await attacker.run(`socket.socket(socket.AF_UNIX).connect(chr(0) + '${at}')`)).toBe('ECONNREFUSED')
    await attacker.end()
    await until(async () => (await state()) === 'repaired', 'the name is back')
    const other = await Attacker.hold(daemon.control, ['a'], 2)
    expect(await other.run(`socket.socket(socket.AF_UNIX).connect(chr(0) + '${at}')`)).toBe('done')
    viewer.close()
  })
})

async function socketOf(viewer: Asker, name: string): Promise<Message> {
  const names = (await viewer.ask('list'))['sockets'] as Message[]
  return (names.find((one) => one['name'] === name)!['sockets'] as Message[])[0]!
}
