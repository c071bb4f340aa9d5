// Every option of every level that a holder without rights can set, whatever it is called: what the guard leaves as a holder set it stands
// here with its reason, so that nothing is forgotten, also when a kernel has more.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { addon, constants } from '../../src/sys/addon.ts'
import { Attacker } from '../support/attacker.ts'
import { IS_ROOT, startDaemon, stopCleanly } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { SWEEP } from '../support/option-sweep.ts'
import { endPythons } from '../support/python.ts'

forbidLeaks()
endPythons()

const LISTEN = {
  tcp: 'tcp://127.0.0.1:0',
  tcp6: 'tcp://[::1]:0',
  udp: 'udp://127.0.0.1:0',
  udp6: 'udp://[::1]:0',
  unix: 'unix://{dir}/{name}',
  seqpacket: 'unix-seqpacket://{dir}/{name}',
  dgram: 'unix-dgram://{dir}/{name}',
  vsock: 'vsock://any:0',
}
type Kind = keyof typeof LISTEN

const hasVsock = (() => {
  const fd = addon.socket(constants.AF_VSOCK, constants.SOCK_STREAM, 0)
  if (fd >= 0) addon.close(fd)
  return fd >= 0
})()
const KINDS = (Object.keys(LISTEN) as Kind[]).filter((kind) => kind !== 'vsock' || hasVsock)
const of = (...kinds: Kind[]) => kinds
const TCP = of('tcp', 'tcp6')
const UDP = of('udp', 'udp6')
const LOCAL = of('unix', 'seqpacket', 'dgram', 'vsock')

/** A level, and what is left of it. */
interface Left {
  why: string
  kinds: readonly Kind[]
  level: string
  options: Record<string, number>
}

const LEFT: readonly Left[] = [
  {
    why: 'a lock without a filter harms nobody, and nobody can take it back',
    kinds: KINDS,
    level: 'SOL_SOCKET',
    options: { SO_LOCK_FILTER: 44 },
  },
  {
    why: 'no connection and no other holder is the worse for it',
    kinds: KINDS,
    level: 'SOL_SOCKET',
    options: {
      SO_RXQ_OVFL: 40,
      SO_WIFI_STATUS: 41,
      SO_NOFCS: 43,
      SO_SELECT_ERR_QUEUE: 45,
      SO_RCVMARK: 75,
      SO_RCVPRIORITY: 82,
    },
  },
  {
    why: 'cannot be turned off again; it takes a time in each message to do anything',
    kinds: KINDS,
    level: 'SOL_SOCKET',
    options: { SO_TXTIME: 61 },
  },
  { why: 'has no effect on TCP', kinds: TCP, level: 'SOL_SOCKET', options: { SO_NO_CHECK: 11 } },
  {
    why: 'has no effect on a TCP listener, or only on what it would connect or multicast',
    kinds: TCP,
    level: 'IPPROTO_IP',
    options: {
      ...{ IP_RECVOPTS: 6, IP_RETOPTS: 7, IP_PKTOPTIONS: 9, IP_RECVTTL: 12, IP_RECVTOS: 13, IP_PASSSEC: 18 },
      ...{ IP_RECVORIGDSTADDR: 20, IP_CHECKSUM: 23, IP_BIND_ADDRESS_NO_PORT: 24, IP_RECVERR_RFC4884: 26 },
      ...{ IP_MULTICAST_LOOP: 34, IP_MULTICAST_ALL: 49, IP_LOCAL_PORT_RANGE: 51 },
    },
  },
  {
    why: 'has no effect on a TCP listener',
    kinds: of('tcp6'),
    level: 'IPPROTO_IPV6',
    options: {
      ...{ IPV6_MULTICAST_LOOP: 19, IPV6_MULTICAST_ALL: 29, IPV6_ROUTER_ALERT_ISOLATE: 30, IPV6_RECVERR_RFC4884: 31 },
      ...{ IPV6_DONTFRAG: 62, IPV6_ADDR_PREFERENCES: 72 },
    },
  },
  {
    why: 'a client whose cookie is not known any more opens its connection without',
    kinds: TCP,
    level: 'IPPROTO_TCP',
    options: { TCP_FASTOPEN_KEY: 33 },
  },
  {
    why: 'programs of datagrams set it for themselves',
    kinds: of('udp', 'udp6', 'dgram'),
    level: 'SOL_SOCKET',
    options: {
      ...{ SO_TIMESTAMP: 29, SO_TIMESTAMPNS: 35, SO_TIMESTAMPING: 37, SO_TIMESTAMP_NEW: 63, SO_TIMESTAMPNS_NEW: 64 },
      ...{ SO_TIMESTAMPING_NEW: 65, SO_BUF_LOCK: 72, SO_PASSCRED: 16, SO_PASSSEC: 34, SO_PASSPIDFD: 76 },
    },
  },
  { why: 'has no effect on UDP', kinds: UDP, level: 'SOL_SOCKET', options: { SO_KEEPALIVE: 9, SO_INCOMING_CPU: 49 } },
  {
    why: 'programs of datagrams set it for themselves',
    kinds: UDP,
    level: 'IPPROTO_IP',
    options: {
      ...{ IP_RECVOPTS: 6, IP_RETOPTS: 7, IP_PKTINFO: 8, IP_MTU_DISCOVER: 10, IP_RECVERR: 11, IP_RECVTTL: 12 },
      ...{ IP_RECVTOS: 13, IP_PASSSEC: 18, IP_RECVORIGDSTADDR: 20, IP_CHECKSUM: 23, IP_BIND_ADDRESS_NO_PORT: 24 },
      ...{ IP_RECVFRAGSIZE: 25, IP_RECVERR_RFC4884: 26, IP_MULTICAST_TTL: 33, IP_MULTICAST_LOOP: 34 },
      ...{ IP_MULTICAST_ALL: 49, IP_LOCAL_PORT_RANGE: 51 },
    },
  },
  {
    why: 'programs of datagrams set it for themselves',
    kinds: of('udp6'),
    level: 'IPPROTO_IPV6',
    options: {
      ...{ IPV6_2292PKTINFO: 2, IPV6_2292HOPOPTS: 3, IPV6_2292DSTOPTS: 4, IPV6_2292RTHDR: 5, IPV6_2292HOPLIMIT: 8 },
      ...{ IPV6_FLOWINFO: 11, IPV6_MULTICAST_IF: 17, IPV6_MULTICAST_HOPS: 18, IPV6_MULTICAST_LOOP: 19 },
      ...{ IPV6_MTU_DISCOVER: 23, IPV6_RECVERR: 25, IPV6_MULTICAST_ALL: 29, IPV6_ROUTER_ALERT_ISOLATE: 30 },
      ...{ IPV6_RECVERR_RFC4884: 31, IPV6_RECVPKTINFO: 49, IPV6_RECVHOPLIMIT: 51, IPV6_RECVHOPOPTS: 53 },
      ...{ IPV6_RECVRTHDR: 56, IPV6_RECVDSTOPTS: 58, IPV6_RECVPATHMTU: 60, IPV6_DONTFRAG: 62, IPV6_RECVTCLASS: 66 },
      ...{ IPV6_RECVORIGDSTADDR: 74, IPV6_RECVFRAGSIZE: 77 },
    },
  },
  {
    why: 'has no effect where there is no network',
    kinds: LOCAL,
    level: 'SOL_SOCKET',
    options: {
      ...{ SO_REUSEADDR: 2, SO_DONTROUTE: 5, SO_BROADCAST: 6, SO_KEEPALIVE: 9, SO_OOBINLINE: 10, SO_NO_CHECK: 11 },
      ...{ SO_PRIORITY: 12, SO_BINDTODEVICE: 25, SO_BUSY_POLL: 46, SO_MAX_PACING_RATE: 47, SO_INCOMING_CPU: 49 },
      ...{ SO_BINDTOIFINDEX: 62, SO_BUF_LOCK: 72 },
    },
  },
  {
    why: 'has no effect on a listener',
    kinds: of('vsock'),
    level: 'AF_VSOCK',
    options: { SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD: 6, SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW: 8 },
  },
]

const leftOf = (kind: Kind) =>
  LEFT.filter(({ kinds }) => kinds.includes(kind)).flatMap(({ level, options }) =>
    Object.values(options).map((number) => `${level} ${number}`),
  )

/** TCP_WINDOW_CLAMP ends with another socket, which replacements.test.ts shows. */
const WITHOUT = '{(6, 10)}'

interface Swept {
  bent: string[]
  left: string[]
}

async function sweepAll(): Promise<Map<string, Swept>> {
  const names = KINDS.flatMap((kind) => [`open-${kind}`, `guarded-${kind}`])
  const tables = names.map((name) => {
    const listen = LISTEN[name.split('-')[1] as Kind].replace('{name}', name)
    return `[sockets.${name}]\nlisten = "${listen}"\nallow = ["any"]\nnon_blocking = false\nguard = ${name.startsWith('guarded')}\n`
  })
  const daemon = await startDaemon({ sockets: tables.join('') })
  const attacker = await Attacker.hold(daemon.control, names)
  const differing = async (name: string) =>
    (await attacker.value(`differing(befores['${name}'])`, name)).split(',').filter(Boolean)
  const swept = new Map<string, Swept>()
  expect(await attacker.run(`exec(${JSON.stringify(SWEEP)}, globals())`)).toBe('done')
  // Later than a worker's start, which the guard forgives.
  await sleep(1300)
  for (const name of names) {
    expect(await attacker.run(`befores['${name}'] = sweep(${WITHOUT})`, name)).toBe('done')
    swept.set(name, { bent: await differing(name), left: [] })
  }
  await sleep(2200)
  for (const name of names) swept.get(name)!.left = await differing(name)
  const told = daemon.logs().filter(({ msg }) => String(msg).endsWith(': repaired'))
  expect(told.filter(({ replaced }) => replaced === true)).toEqual([])
  await attacker.end()
  await stopCleanly(daemon)
  return swept
}

let swept: ReturnType<typeof sweepAll> | undefined

describe.runIf(IS_ROOT)('of all options that a holder without rights can set (needs root, to be another user)', () => {
  it.each(KINDS)(
    '%s: all stay where the guard is off; where it is on, those that are listed with a reason',
    async (kind) => {
      swept ??= sweepAll()
      const all = await swept
      const open = all.get(`open-${kind}`)!
      expect(open.bent.length).toBeGreaterThan(30)
      expect(open.left).toEqual(open.bent)
      const expected = new Set(leftOf(kind))
      expect(all.get(`guarded-${kind}`)!.left.filter((option) => !expected.has(option))).toEqual([])
    },
  )
})
