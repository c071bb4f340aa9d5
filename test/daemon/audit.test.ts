import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { CLI, IS_ROOT, NOBODY, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { run } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const SOCKETS = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:${process.getuid!()}"]\nready_timeout = "2s"
[sockets.one]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\nmode = "exclusive"`

/** The tables of docs/logging.md: level words and fields by message. */
function documented(): Map<string, { levels: string; required: string[]; known: string[] }> {
  const page = readFileSync(new URL('../../docs/logging.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$/gm)]
  return new Map(
    rows.map(([, msg, levels, cells]) => {
      const fields = [...cells!.matchAll(/`(\w+)(\??)`/g)].map(
        ([, field, optional]) => [field!, optional === '?'] as const,
      )
      const required = fields.filter(([, optional]) => !optional).map(([field]) => field)
      return [msg!, { levels: levels!, required, known: fields.map(([field]) => field) }]
    }),
  )
}

const LEVELS: Record<number, string> = { 30: 'info', 40: 'warn' }
/** Arguments of the verb and words about a rule are named in prose. */
const OF_ADMIN = ['name', 'lease', 'timeout', 'drain']

describe('the audit log', () => {
  it('has a line for each grant, refusal, drain, end and admin’s request, with the fields that docs/logging.md gives', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const worker = await Asker.connect(daemon.control)
    const first = await worker.lease('web')
    await worker.ask('ready', { lease: first })
    await worker.ask('drain', { name: 'web', timeout: 1000 })
    await worker.ask('release', { lease: first })
    await worker.ask('release', { lease: 4711 })
    await worker.lease('web', { takeover: true })
    await until(() => daemon.logs().some(({ msg }) => msg === 'rollback'), 'it expires')
    const third = await worker.lease('web', { takeover: true })
    await worker.ask('ready', { lease: third })
    await worker.lease('one')
    await worker.ask('acquire', { name: 'one' })
    await worker.ask('acquire', { name: 'none' })
    await worker.ask('frobnicate')
    await worker.ask('pause', { name: 'web' })
    await worker.ask('resume', { name: 'web' })
    worker.client.send(Uint8Array.of(0xc1))
    const count = (what: string) => daemon.logs().filter(({ msg }) => msg === what).length
    await until(() => count('died') === 2 && count('connection closed: malformed packet') === 1, 'all is logged')
    await stopCleanly(daemon)

    const table = documented()
    const told = daemon.logs().filter(({ msg }) => table.has(msg as string))
    for (const { time: _, level, msg, ...fields } of told) {
      const { levels, required, known } = table.get(msg as string)!
      const names = Object.keys(fields)
      expect(levels, String(msg)).toContain(LEVELS[level as number])
      expect(
        required.filter((field) => !names.includes(field)),
        String(msg),
      ).toEqual([])
      const more = msg === 'admin' ? OF_ADMIN : []
      expect(
        names.filter((field) => !known.includes(field) && !more.includes(field)),
        String(msg),
      ).toEqual([])
    }
    const seen = [
      'granted',
      'ready',
      'drain',
      'released',
      'died',
      'expired',
      'promoted',
      'rollback',
      'paused',
      'resumed',
    ]
    expect([...new Set(told.map(({ msg }) => msg))].sort()).toEqual(
      [...seen, 'admin', 'refused', 'connection closed: malformed packet'].sort(),
    )
    const refused = told.filter(({ msg }) => msg === 'refused')
    expect(refused.map(({ op, name, lease, code }) => [op, name ?? lease, code])).toEqual([
      ['release', 4711, 'DENIED'],
      ['acquire', 'one', 'BUSY'],
      ['acquire', 'none', 'NOT_FOUND'],
      ['"frobnicate"', undefined, 'UNSUPPORTED'],
    ])
  })

  it.runIf(IS_ROOT)('names the rule that was missing, for a name and for a verb (needs root)', async () => {
    const daemon = await startDaemon({ broker: 'viewers = ["group:0"]', sockets: SOCKETS })
    const stranger = startWorker(
      daemon,
      `
os.setgroups([]); os.setgid(${NOBODY}); os.setuid(${NOBODY})
broker = connect()
say(code(granted, broker, 'web'), code(broker.request, 'list'), code(broker.request, 'reload'), code(broker.request, 'drain', name='web'))
`,
    )
    expect(await stranger.line()).toMatch(/^DENIED DENIED \w+ DENIED$/)
    await stranger.exit()
    await until(() => daemon.logs().filter(({ op }) => op === 'drain').length === 1, 'the last is logged')
    const lines = daemon.logs().filter(({ msg }) => msg === 'denied' || msg === 'refused')
    expect(lines).toMatchObject([
      { msg: 'denied', name: 'web', missing: ['user:root'], uid: NOBODY, pid: stranger.pid },
      {
        msg: 'refused',
        op: 'list',
        code: 'DENIED',
        missing: ['group:0'],
        uid: NOBODY,
        user: 'nobody',
        pid: stranger.pid,
      },
      { msg: 'refused', op: 'reload' },
      { msg: 'refused', op: 'drain', name: 'web', code: 'DENIED', missing: ['user:root'] },
    ])
    await stopCleanly(daemon)
  })

  it('names the first of many long rules that were missing, so that subscribers and the history can be told', async () => {
    const rules = Array.from({ length: 60 }, (_, at) => `"exe:/${String(at).padStart(4000, '0')}"`)
    const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = [${rules}]`
    const daemon = await startDaemon({ sockets })
    const viewer = await Asker.connect(daemon.control)
    await viewer.ask('events')
    const peer = await Asker.connect(daemon.control)
    expect(await peer.ask('acquire', { name: 'web' })).toMatchObject({ code: 'DENIED' })
    const told = await viewer.next()
    expect(told).toMatchObject({ event: 'denied', name: 'web' })
    expect((told['missing'] as string[]).map(({ length }) => length)).toEqual(Array(32).fill(513))
    expect(await peer.ask('history')).toMatchObject({ events: [told] })
    peer.close()
    viewer.close()
    await stopCleanly(daemon)
  })

  it('tells of an admin’s request that was refused with its code, in the log and in the history, and before what followed', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const admin = await Asker.connect(daemon.control)
    const lease = await admin.lease('web', { ready: true })
    const asked: [string, Record<string, unknown>, (string | undefined)?][] = [
      ['pause', { name: 'nope' }, 'NOT_FOUND'],
      ['resume', { name: 'nope' }, 'NOT_FOUND'],
      ['drain', {}, 'INVALID'],
      ['drain', { name: 'web', lease }, 'INVALID'],
      ['drain', { lease: 4711 }, 'NOT_FOUND'],
      ['upgrade', {}, 'UNSUPPORTED'],
      ['pause', { name: 'web' }],
      ['drain', { name: 'web' }],
      ['reload', {}],
    ]
    for (const [op, args] of asked) await admin.ask(op, args)
    writeFileSync(daemon.config, 'nonsense')
    await admin.ask('reload')
    const { events } = (await admin.ask('history')) as { events: Record<string, unknown>[] }
    const summary = (all: Record<string, unknown>[], key: string) =>
      all.filter((each) => each[key] === 'admin').map(({ op, code }) => [op, code])
    const expected = [...asked.map(([op, , code]) => [op, code]), ['reload', 'INVALID']]
    expect(summary(events, 'event')).toEqual(expected)
    const following = (op: string) => events[events.findLastIndex((each) => each['op'] === op && !each['code']) + 1]
    expect(['pause', 'drain', 'reload'].map((op) => following(op)?.['event'])).toEqual(['paused', 'drain', 'reload'])
    admin.close()
    await stopCleanly(daemon)
    expect(summary(daemon.logs(), 'msg')).toEqual(expected)
    const [reload] = daemon.logs().filter(({ msg }) => msg === 'reload refused')
    expect(reload).toMatchObject({ level: 50, code: 'INVALID', why: expect.stringContaining('broker.toml:1:') })
  })

  it('lets one user write so many lines and no more, while the counters and the others’ lines go on', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const worker = await Asker.connect(daemon.control)
    const rounds = 6500
    for (let round = 0; round < rounds; round += 500) {
      for (let at = 0; at < 500; at++) worker.send('acquire', { name: 'none' })
      for (let at = 0; at < 500; at++) await worker.next()
    }
    expect((await worker.ask('stats'))['refusals']).toEqual({ NOT_FOUND: rounds })
    worker.close()
    await stopCleanly(daemon)
    const written = daemon.logs().filter(({ msg }) => msg === 'refused').length
    expect(written).toBeGreaterThanOrEqual(5000)
    expect(written).toBeLessThan(rounds)
    const summary = daemon.logs().filter(({ msg }) => String(msg).startsWith('log lines suppressed'))
    const suppressed = summary.reduce((sum, { lines }) => sum + (lines as number), 0)
    expect(summary[0]).toMatchObject({ whose: `uid ${process.getuid!()}` })
    expect(suppressed).toBeGreaterThanOrEqual(rounds - written)
  })

  it('writes no control character, and none that turns the direction of writing, whatever a peer says', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const worker = await Asker.connect(daemon.control)
    const evil = ['\u001b[2J', 'a\u009b1m', '\u202eevil', 'line\u2028end', 'del\u007f']
    for (const text of evil) {
      await worker.ask('acquire', { name: text })
      await worker.ask(text)
      await worker.ask('acquire', { name: 'web', [text]: 1 })
    }
    const { stdout } = await run(daemon, [CLI, 'history', '--json'], { file: process.execPath })
    worker.close()
    await stopCleanly(daemon)
    for (const output of [daemon.stderr(), stdout]) {
      expect(output.replaceAll('\n', '')).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u)
    }
    expect(daemon.logs().filter(({ msg }) => msg === 'refused')).toHaveLength(3 * evil.length)
  })
})
