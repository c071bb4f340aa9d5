import { describe, expect, it } from 'vitest'
import type { Broker } from '../../src/client/index.ts'
import type { HolderView, NameView } from '../../src/protocol/messages.ts'
import { runCli } from '../support/fake-env.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKET = { type: 'tcp' as const, queue: 0, limit: 4096, drops: 0, cookie: '0000000000000a31' }
const NAMES: NameView[] = [
  {
    name: 'web',
    mode: 'shared',
    state: 'ok',
    generation: 'g1',
    holders: { granted: 1, ready: 2, draining: 1 },
    waiting: 3,
    sockets: [
      { ...SOCKET, address: 'tcp://127.0.0.1:8080', queue: 12 },
      { ...SOCKET, address: 'tcp://[::1]:8080', queue: null, limit: null, drops: 7 },
    ],
  },
  {
    name: 'a-much-longer-name/of.one',
    mode: 'exclusive',
    state: 'idle',
    generation: 'release-2026.11',
    holders: { granted: 0, ready: 0, draining: 0 },
    waiting: 0,
    sockets: [],
  },
]

const HOLDER: HolderView = {
  lease: 7,
  name: 'web',
  pid: 41_237,
  uid: 33,
  gid: 33,
  user: 'www-data',
  command: 'node server.mjs',
  generation: 'g1',
  state: 'ready',
  since: 1_790_000_000_000,
}

const broker = {
  list: async () => NAMES,
  holders: async () => [HOLDER],
  stats: async () => ({ pid: 7, uptime: 93_784_000, holders: { granted: 1, ready: 2, draining: 0 }, refusals: {} }),
}

describe('a table', () => {
  it('of list has one line a socket, aligned, with what belongs to the name on its first', async () => {
    expect((await runCli(['list'], { broker })).stdout).toBe(`\
NAME                       ADDRESS               MODE       GEN              HOLDERS    QUEUE  DROPS  STATE
web                        tcp://127.0.0.1:8080  shared     g1               2/4+3    12/4096      0  ok
                           tcp://[::1]:8080                                               -/-      7
a-much-longer-name/of.one  -                     exclusive  release-2026.11  0/0          -/-      -  idle
`)
  })

  it('of holders shortens long commands, and counts the time since', async () => {
    const long = { ...HOLDER, lease: 123, pid: 5, command: 'x'.repeat(60), since: HOLDER.since + 11_400_000 }
    const env = { broker: { holders: async () => [HOLDER, long] }, now: HOLDER.since + 11_520_000 }
    expect((await runCli(['holders'], env)).stdout).toBe(`\
LEASE  NAME    PID  USER      COMMAND                                   GENERATION  STATE  SINCE
    7  web   41237  www-data  node server.mjs                           g1          ready  3h12m
  123  web       5  www-data  ${'x'.repeat(39)}…  g1          ready     2m
`)
  })

  it('of holders has deadline, unit and status if asked for them, and what is wide takes its room', async () => {
    const now = HOLDER.since + 20_000
    const draining: HolderView = {
      ...HOLDER,
      state: 'draining',
      deadline: now + 12_000,
      unit: 'web.service',
      container: '0a1b',
    }
    const late: HolderView = {
      ...HOLDER,
      lease: 8,
      command: '漢字',
      deadline: now - 3000,
      status: `all set ${'.'.repeat(60)}`,
    }
    const none = { lease: null, generation: null, since: null }
    const stray: HolderView = { ...HOLDER, ...none, state: 'undeclared', unit: 'cron.service' }
    const { stdout } = await runCli(['holders', '--wide'], {
      broker: { holders: async () => [draining, late, stray] },
      now,
    })
    expect(stdout).toBe(`\
LEASE  NAME    PID  USER      COMMAND          GENERATION  STATE       SINCE  DEADLINE  UNIT              STATUS
    7  web   41237  www-data  node server.mjs  g1          draining      20s    in 12s  web.service 0a1b  -
    8  web   41237  www-data  漢字             g1          ready         20s    3s ago  -                 all set ${'.'.repeat(60)}
    -  web   41237  www-data  node server.mjs  -           undeclared      -         -  cron.service      -
`)
    const { stdout: plain } = await runCli(['holders'], { broker: { holders: async () => [draining] }, now })
    expect(plain).toMatch(/ SINCE\n/)
  })

  it('of holders says what runs before where it lies', async () => {
    const far = { ...HOLDER, command: '/opt/releases/2026-11-28/node/bin/node server.mjs --port 80' }
    const { stdout } = await runCli(['holders'], { broker: { holders: async () => [far] } })
    expect(stdout).toContain('  node server.mjs --port 80  ')
  })

  it('of stats has a line for each counter', async () => {
    expect((await runCli(['stats'], { broker })).stdout).toBe(`\
COUNTER           VALUE
pid                   7
uptime             1d2h
holders.granted       1
holders.ready         2
holders.draining      0
`)
  })

  it('without rows has its headings', async () => {
    const none = { list: async () => [], holders: async () => [] }
    expect((await runCli(['list'], { broker: none })).stdout).toMatch(/^NAME +ADDRESS [^\n]+\n$/)
    expect((await runCli(['holders'], { broker: none })).stdout).toMatch(/^LEASE +NAME [^\n]+\n$/)
  })

  it.each<[boolean, boolean, NodeJS.ProcessEnv]>([
    [true, true, {}],
    [false, false, {}],
    [false, true, { NO_COLOR: '1' }],
    [true, true, { NO_COLOR: '' }],
    [false, true, { TERM: 'dumb' }],
  ])('has bold headings: %s, when terminal: %s and the environment is %j', async (bold, isTTY, variables) => {
    const { stdout } = await runCli(['list'], { broker, isTTY, variables })
    expect(stdout.startsWith('\u001b[1mNAME')).toBe(bold)
    expect(stdout.includes('\u001b')).toBe(bold)
    expect(stdout.split('\n').slice(1).join('\n')).not.toContain('\u001b')
  })

  it('shows no control byte, whatever a holder calls itself', async () => {
    const evil = { ...HOLDER, command: 'a\u001b[2J\rb\nc\u0007\u009b1m\u2028', user: 'x\ty' }
    const { stdout } = await runCli(['holders'], { broker: { holders: async () => [evil] }, isTTY: false })
    expect(stdout.replaceAll('\n', '')).toMatch(/^\P{Cc}*$/u)
    expect(stdout.trimEnd().split('\n')).toHaveLength(2)
    expect(stdout).toContain('a\\x1b[2J\\x0db\\x0ac\\x07\\x9b1m')
  })
})

describe('a selection', () => {
  const names = async (...argv: string[]) => {
    const { status, stdout, stderr } = await runCli(['list', ...argv, '--json'], { broker })
    return status === 0 ? JSON.parse(stdout).sockets.map(({ name }: NameView) => name) : stderr
  }
  const UNDECLARED: HolderView = {
    lease: null,
    name: 'a-much-longer-name/of.one',
    pid: 12,
    uid: 0,
    gid: 0,
    user: 'root',
    command: 'sleep 1',
    generation: null,
    state: 'undeclared',
    since: null,
    inheritedFrom: 7,
  }
  const pids = async (...argv: string[]) => {
    const all = { ...broker, holders: async () => [HOLDER, UNDECLARED] }
    const { status, stdout, stderr } = await runCli(['holders', ...argv, '--json'], { broker: all })
    return status === 0 ? JSON.parse(stdout).holders.map(({ pid }: HolderView) => pid) : stderr
  }
  const [WEB, LONG] = NAMES.map(({ name }) => name)

  it('by names and globs shows what fits one of them', async () => {
    expect(await names('web')).toEqual([WEB])
    expect(await names('*.one', 'we?')).toEqual([WEB, LONG])
    expect(await names('x*')).toEqual([])
    expect(await names('.eb', 'w*')).toMatch(/there is no name ".eb"; did you mean "web"\?/)
    expect(await pids('a-*', 'nothing*')).toEqual([12])
    expect(await pids('wep', 'web')).toMatch(/NOT_FOUND: there is no name "wep"; did you mean "web"\?/)
  })

  it('by state and by user shows those', async () => {
    expect(await names('--state', 'idle')).toEqual([LONG])
    expect(await names('--user', 'www-data')).toEqual([WEB])
    expect(await names('--user', '33')).toEqual([WEB])
    expect(await names('--user', 'root')).toEqual([])
    expect(await pids('--state', 'undeclared')).toEqual([12])
    expect(await pids('--user', '33')).toEqual([41_237])
  })

  it('sorts figures from the largest and words from a to z, or the other way round', async () => {
    expect(await names('--sort', 'name')).toEqual([LONG, WEB])
    expect(await names('--sort', 'queue')).toEqual([WEB, LONG])
    expect(await names('--sort', 'queue', '--reverse')).toEqual([LONG, WEB])
    expect(await pids('--sort', 'pid')).toEqual([12, 41_237])
    expect(await pids('--sort', 'lease')).toEqual([41_237, 12])
  })

  it.each([
    [['list', '--state', 'idl'], /"idl" is none; did you mean "idle"\?/],
    [['list', '--sort', 'size'], /"size" is none; use name, queue, drops/],
    [['holders', '--state', 'ok'], /"ok" is none; use granted, ready/],
  ])('%j is wrong usage, with what is meant', async (argv, message) => {
    const { status, stderr } = await runCli(argv, { broker })
    expect([status, stderr]).toEqual([100, expect.stringMatching(message)])
  })
})

describe('--json', () => {
  const json = async (...argv: string[]) => {
    const { status, stdout } = await runCli([...argv, '--json'], { broker, isTTY: true })
    expect(status).toBe(0)
    return JSON.parse(stdout)
  }

  it('has the shapes of docs/cli.md, and no colour', async () => {
    expect(await json('list')).toEqual({ sockets: NAMES })
    expect(await json('holders')).toEqual({ holders: [HOLDER] })
    expect(await json('stats')).toEqual(await broker.stats())
  })

  it('of holders says how many processes the broker may not look into, in a key and on stderr', async () => {
    const told = (processes: number): Partial<Broker> => ({
      list: async () => NAMES,
      holders: async (_name, options) => {
        options?.unseen?.(processes)
        return [HOLDER]
      },
    })
    for (const argv of [[], ['web'], ['w*']]) {
      const { status, stdout, stderr } = await runCli(['holders', ...argv, '--json'], { broker: told(12) })
      expect([status, JSON.parse(stdout)]).toEqual([0, { holders: [HOLDER], unseen: 12 }])
      expect(stderr).toMatch(/^fd-broker: 12 processes could not be looked into.*CAP_SYS_PTRACE.*\n$/)
    }
    const { stdout, stderr } = await runCli(['holders'], { broker: told(1) })
    expect(stderr).toMatch(/^fd-broker: 1 process could not/)
    expect(stdout).toBe((await runCli(['holders'], { broker })).stdout)
  })

  it('asks for the holders of one name when one is given', async () => {
    const asked: (string | undefined)[] = []
    const recording = {
      holders: async (name?: string) => {
        asked.push(name)
        return []
      },
    }
    await runCli(['holders', 'web'], { broker: recording })
    await runCli(['holders', '--json'], { broker: recording })
    expect(asked).toEqual(['web', undefined])
  })

  it('escapes control characters as JSON does', async () => {
    const evil = { ...HOLDER, command: 'a\u001b[2J\u009b' }
    const { stdout } = await runCli(['holders', '--json'], { broker: { holders: async () => [evil] } })
    expect(stdout.replaceAll('\n', '')).toMatch(/^\P{Cc}*$/u)
    expect(JSON.parse(stdout).holders[0].command).toBe(evil.command)
  })
})
