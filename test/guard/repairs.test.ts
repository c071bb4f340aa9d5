// One test for each thing that a holder without rights can do to a shared socket: it stays so where the guard is off, and is undone
// where it is on. Who looks is a process of its own, with a copy of the socket: what the kernel says, not what the broker says.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Attacker } from '../support/attacker.ts'
import { IS_ROOT, startDaemon, until } from '../support/daemon.ts'
import { report } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'

forbidLeaks()
endPythons()

interface Row {
  /** What the log and the event call it. */
  what: string
  type: 'tcp' | 'tcp6' | 'unix' | 'udp' | 'udp6' | 'unix-dgram'
  /** A line of Python. */
  attack: string
  /** An expression that says how the socket is. */
  look: string
}

const option = (type: Row['type'], what: string, level: string, number: string, value: string, size = 4): Row => ({
  what,
  type,
  attack: `opt(${level}, ${number}, ${value})`,
  look: `held.getsockopt(${level}, ${number}, ${size}).hex()`,
})
const time = "struct.pack('ll', 0, 1000)"
const linger = "struct.pack('ii', 1, 0)"
const so = (name: string) => `socket.SO_${name}`

const ROWS: Row[] = [
  { what: 'shutdown', type: 'tcp', attack: 'held.shutdown(socket.SHUT_RDWR)', look: 'held.getsockopt(SOL, 30)' },
  { what: 'shutdown', type: 'tcp', attack: 'held.shutdown(socket.SHUT_RD)', look: 'held.getsockopt(SOL, 30)' },
  { what: 'shutdown', type: 'tcp', attack: 'unspec(held.fileno())', look: 'held.getsockopt(SOL, 30)' },
  {
    what: 'backlog',
    type: 'tcp',
    attack: 'held.listen(0)',
    look: 'struct.unpack_from("I", held.getsockopt(TCP, 11, 64), 28)[0]',
  },
  { what: 'O_NONBLOCK', type: 'tcp', attack: 'held.setblocking(False)', look: 'os.get_blocking(held.fileno())' },
  option('tcp', 'SO_RCVTIMEO', 'SOL', so('RCVTIMEO'), time, 16),
  option('tcp', 'SO_SNDTIMEO', 'SOL', so('SNDTIMEO'), time, 16),
  option('tcp', 'SO_LINGER', 'SOL', so('LINGER'), linger, 8),
  option('tcp', 'SO_RCVLOWAT', 'SOL', so('RCVLOWAT'), '1000000'),
  option('tcp', 'SO_RCVBUF', 'SOL', so('RCVBUF'), '1'),
  option('tcp', 'SO_SNDBUF', 'SOL', so('SNDBUF'), '1'),
  option('tcp', 'SO_REUSEADDR', 'SOL', so('REUSEADDR'), '0'),
  option('tcp', 'SO_REUSEPORT', 'SOL', so('REUSEPORT'), '0'),
  option('tcp', 'SO_DONTROUTE', 'SOL', so('DONTROUTE'), '1'),
  option('tcp', 'SO_KEEPALIVE', 'SOL', so('KEEPALIVE'), '1'),
  option('tcp', 'SO_OOBINLINE', 'SOL', so('OOBINLINE'), '1'),
  option('tcp', 'SO_PRIORITY', 'SOL', so('PRIORITY'), '6'),
  option('tcp', 'SO_MAX_PACING_RATE', 'SOL', '47', '1'),
  option('tcp', 'SO_INCOMING_CPU', 'SOL', so('INCOMING_CPU'), '1'),
  option('tcp', 'SO_ZEROCOPY', 'SOL', '60', '1'),
  option('tcp', 'SO_BROADCAST', 'SOL', so('BROADCAST'), '1'),
  option('tcp', 'SO_BUSY_POLL', 'SOL', '46', '50'),
  option('tcp', 'SO_BUF_LOCK', 'SOL', '72', '3'),
  option('tcp', 'SO_TXREHASH', 'SOL', '74', '0'),
  option('tcp', 'SO_PEEK_OFF', 'SOL', '42', '5'),
  option('tcp', 'SO_TIMESTAMP_NEW', 'SOL', '63', '1'),
  // Transmitted ones come on the error queue of each connection, which wakes its program until it reads that.
  option('tcp', 'SO_TIMESTAMPING', 'SOL', '37', '0x112', 8),
  option('tcp', 'SO_TIMESTAMP', 'SOL', '29', '1'),
  { ...option('tcp', 'SO_BINDTOIFINDEX', 'SOL', '62', '4242'), look: 'held.getsockopt(SOL, 62)' },
  option('tcp', 'IP_TOS', 'IP', 'socket.IP_TOS', '16'),
  option('tcp', 'IP_TTL', 'IP', 'socket.IP_TTL', '1'),
  option('tcp', 'IP_MINTTL', 'IP', '21', '255'),
  option('tcp', 'IP_MTU_DISCOVER', 'IP', '10', '2'),
  option('tcp', 'IP_OPTIONS', 'IP', 'socket.IP_OPTIONS', 'bytes([7, 7, 4, 0, 0, 0, 0, 0])', 40),
  option('tcp', 'IP_FREEBIND', 'IP', '15', '1'),
  option('tcp', 'IP_RECVERR', 'IP', '11', '1'),
  option('tcp', 'IP_OPTIONS', 'IP', 'socket.IP_OPTIONS', 'bytes(4)', 40),
  option('tcp', 'IP_PKTINFO', 'IP', '8', '1'),
  {
    what: 'TCP_MD5SIG',
    type: 'tcp',
    attack: "opt(TCP, 32, md5_key('0.0.0.0', 0)); reaches(0.1)",
    look: 'reaches(1)',
  },
  {
    what: 'TCP_MD5SIG',
    type: 'tcp',
    attack: "opt(TCP, 14, md5_key('127.0.0.1', None)); reaches(0.1)",
    look: 'reaches(1)',
  },
  option('tcp', 'TCP_QUICKACK', 'TCP', 'socket.TCP_QUICKACK', '0'),
  option('tcp', 'TCP_THIN_LINEAR_TIMEOUTS', 'TCP', '16', '1'),
  option('tcp', 'TCP_FASTOPEN_NO_COOKIE', 'TCP', '34', '1'),
  option('tcp', 'TCP_INQ', 'TCP', '36', '1'),
  option('tcp', 'TCP_TX_DELAY', 'TCP', '37', '1000000'),
  option('tcp', 'TCP_RTO_MAX_MS', 'TCP', '44', '1000'),
  option('tcp', 'TCP_RTO_MIN_US', 'TCP', '45', '100000'),
  option('tcp', 'TCP_DELACK_MAX_US', 'TCP', '46', '100000'),
  option('tcp', 'TCP_DEFER_ACCEPT', 'TCP', 'socket.TCP_DEFER_ACCEPT', '60'),
  option('tcp', 'TCP_MAXSEG', 'TCP', 'socket.TCP_MAXSEG', '88'),
  option('tcp', 'TCP_NODELAY', 'TCP', 'socket.TCP_NODELAY', '1'),
  option('tcp', 'TCP_CORK', 'TCP', 'socket.TCP_CORK', '1'),
  option('tcp', 'TCP_KEEPIDLE', 'TCP', 'socket.TCP_KEEPIDLE', '1'),
  option('tcp', 'TCP_KEEPINTVL', 'TCP', 'socket.TCP_KEEPINTVL', '1'),
  option('tcp', 'TCP_KEEPCNT', 'TCP', 'socket.TCP_KEEPCNT', '1'),
  option('tcp', 'TCP_SYNCNT', 'TCP', 'socket.TCP_SYNCNT', '1'),
  option('tcp', 'TCP_LINGER2', 'TCP', 'socket.TCP_LINGER2', '1'),
  option('tcp', 'TCP_USER_TIMEOUT', 'TCP', 'socket.TCP_USER_TIMEOUT', '1'),
  option('tcp', 'TCP_FASTOPEN', 'TCP', 'socket.TCP_FASTOPEN', '5'),
  option('tcp', 'TCP_SAVE_SYN', 'TCP', '27', '1'),
  option('tcp', 'TCP_NOTSENT_LOWAT', 'TCP', '25', '1'),
  option('tcp', 'TCP_CONGESTION', 'TCP', 'socket.TCP_CONGESTION', "b'reno'", 16),

  option('tcp6', 'IPV6_UNICAST_HOPS', '41', '16', '1'),
  option('tcp6', 'IPV6_MINHOPCOUNT', '41', '73', '255'),
  option('tcp6', 'IPV6_TCLASS', '41', '67', '16'),
  option('tcp6', 'IPV6_RECVHOPLIMIT', '41', '51', '1'),
  option('tcp6', 'IPV6_FLOWINFO_SEND', '41', '33', '1'),
  option('tcp6', 'IPV6_RTHDR', '41', '57', "bytes([0, 2, 4, 0, 0, 0, 0, 0]) + socket.inet_pton(10, '::1')", 64),

  { what: 'backlog', type: 'unix', attack: 'held.listen(0)', look: 'held.getsockopt(SOL, 17, 12).hex()' },
  { what: 'O_NONBLOCK', type: 'unix', attack: 'held.setblocking(False)', look: 'os.get_blocking(held.fileno())' },
  option('unix', 'SO_RCVTIMEO', 'SOL', so('RCVTIMEO'), time, 16),
  option('unix', 'SO_PASSCRED', 'SOL', so('PASSCRED'), '1'),
  option('unix', 'SO_PASSRIGHTS', 'SOL', '83', '0'),
  option('unix', 'SO_PASSPIDFD', 'SOL', '76', '1'),
  option('unix', 'SO_PEEK_OFF', 'SOL', '42', '5'),

  { what: 'connect', type: 'udp', attack: "held.connect(('127.0.0.1', 9))", look: 'peer()' },
  option('udp', 'SO_REUSEADDR', 'SOL', so('REUSEADDR'), '1'),
  option('udp', 'SO_RCVBUF', 'SOL', so('RCVBUF'), '1'),
  option('udp', 'SO_BROADCAST', 'SOL', so('BROADCAST'), '1'),
  option('udp', 'SO_PEEK_OFF', 'SOL', '42', '5'),
  option('udp', 'UDP_NO_CHECK6_RX', 'UDP', '102', '1'),
  option('udp6', 'UDP_NO_CHECK6_TX', 'UDP', '101', '1'),
  option('udp6', 'IPV6_FLOWINFO_SEND', '41', '33', '1'),
  option('udp6', 'IPV6_ADDR_PREFERENCES', '41', '72', '2'),
  option('udp', 'UDP_GRO', 'UDP', '104', '1'),
  option('udp', 'UDP_ENCAP', 'UDP', '100', '2'),
  option('udp', 'UDP_CORK', 'UDP', '1', '1'),
  {
    what: 'connect',
    type: 'unix-dgram',
    attack:
      'other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); other.bind(chr(0) + str(os.getpid())); held.connect(chr(0) + str(os.getpid()))',
    look: 'peer()',
  },
]

const LISTEN = {
  tcp: 'tcp://127.0.0.1:0',
  tcp6: 'tcp://[::1]:0',
  udp: 'udp://127.0.0.1:0',
  udp6: 'udp://[::1]:0',
  unix: 'unix://{dir}/{name}',
  'unix-dgram': 'unix-dgram://{dir}/{name}',
}

/** The attack comes later than a worker's start, which the guard forgives. */
const AFTER_START_MS = 1300

const isRepaired = ({ msg }: Record<string, unknown>) => String(msg).endsWith(': repaired')

interface Outcome {
  attack: string
  before: string
  after: string
  /** Milliseconds since the epoch. */
  at: number
  told: Record<string, unknown>[]
}

const nameOf = (kind: 'open' | 'guarded', at: number) => `${kind}${at}`

/** Two names for each row, one of them without the guard; all attacks come at once, and a second later all is looked at. */
async function attackAll() {
  const names = ROWS.flatMap((row, at) => [
    { name: nameOf('open', at), row, guard: false },
    { name: nameOf('guarded', at), row, guard: true },
  ])
  const tables = names.map(({ name, row: { type }, guard }) => {
    const listen = LISTEN[type].replace('{name}', name)
    const backlog = type.startsWith('tcp') || type === 'unix' ? 'backlog = 16' : ''
    return `[sockets.${name}]\nlisten = "${listen}"\nallow = ["any"]\nnon_blocking = false\nguard = ${guard}\n${backlog}\n`
  })
  const daemon = await startDaemon({ sockets: tables.join('') })
  const attacker = await Attacker.hold(
    daemon.control,
    names.map(({ name }) => name),
  )
  await sleep(AFTER_START_MS)
  const results = new Map<string, Outcome>()
  for (const { name, row } of names) {
    const before = await attacker.value(row.look, name)
    const attack = await attacker.run(row.attack, name)
    results.set(name, { before, attack, after: '', at: Date.now(), told: [] })
  }
  await until(() => daemon.logs().filter(isRepaired).length >= ROWS.length, 'all repairs').catch(() => {})
  await sleep(1100)
  for (const { name, row } of names) results.get(name)!.after = await attacker.value(row.look, name)
  for (const line of daemon.logs().filter(isRepaired)) results.get(line['name'] as string)!.told.push(line)
  await attacker.end()
  reportTimes([...results.values()])
  return { results, pid: attacker.pid }
}

function reportTimes(results: readonly Outcome[]): void {
  const times = results.flatMap(({ at, told }) => told.slice(0, 1).map(({ time }) => Date.parse(String(time)) - at))
  const sorted = times.sort((a, b) => a - b)
  const quantile = (share: number) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]!
  report('repairs', { rows: ROWS.length, repaired: times.length, p50: quantile(0.5), p99: quantile(0.99) })
}

let attacked: ReturnType<typeof attackAll> | undefined

describe.runIf(IS_ROOT)('what a holder without rights does (needs root, to be another user)', () => {
  it.each(ROWS.map((row, at) => ({ ...row, at })))(
    '$type: $what by `$attack` stays where the guard is off, and is undone by it',
    // The first of them waits for the attacks of all.
    { timeout: 90_000 },
    async ({ what, at }) => {
      attacked ??= attackAll()
      const { results, pid } = await attacked
      const open = results.get(nameOf('open', at))!
      expect(open).toMatchObject({ attack: 'done', told: [] })
      expect(open.after).not.toBe(open.before)

      const guarded = results.get(nameOf('guarded', at))!
      expect(guarded).toMatchObject({ attack: 'done', after: guarded.before })
      const suspects = [{ lease: 2 * at + 2, pid, user: 'nobody' }]
      expect(guarded.told).toMatchObject([{ what: expect.arrayContaining([what]), suspects }])
    },
  )

  it('IP_TOS takes the SO_PRIORITY that is configured with it: both are undone in one repair', async () => {
    const options = 'priority = 3\nip_tos = 16\n'
    const daemon = await startDaemon({
      sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n${options}`,
    })
    const attacker = await Attacker.hold(daemon.control, ['web'])
    const look = () => attacker.value(`(held.getsockopt(SOL, ${so('PRIORITY')}), held.getsockopt(IP, 1))`, 'web')
    expect(await look()).toBe('(3, 16)')
    await sleep(AFTER_START_MS)
    expect(await attacker.run('opt(IP, 1, 8)', 'web')).toBe('done')
    await until(() => daemon.logs().some(isRepaired), 'it is repaired')
    expect(await look()).toBe('(3, 16)')
    await sleep(1100)
    expect(daemon.logs().filter(isRepaired)).toMatchObject([{ what: ['IP_TOS', 'SO_PRIORITY'] }])
    await attacker.end()
  })
})
