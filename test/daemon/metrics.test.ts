import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { BROKER_METRICS, NAME_METRICS } from '../../src/daemon/metrics/table.ts'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import { startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { fetchFrom, figureOf, readMetrics, scrape } from '../support/metrics.ts'

forbidLeaks()

const METRICS = 'metrics = "unix://{dir}/metrics.sock"'
const table = (name: string, more = '') => `[sockets.${name}]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n${more}\n`
const hasPromtool = spawnSync('promtool', ['--version']).status === 0

describe('metrics', () => {
  it('are what the format asks for, by a reader that is not ours, and have every row of the table', async () => {
    const daemon = await startDaemon({ broker: METRICS, sockets: table('web') + table('one', 'mode = "exclusive"') })
    const worker = await Asker.connect(daemon.control)
    const first = await worker.lease('web')
    await worker.ask('ready', { lease: first })
    const second = await worker.lease('web', { takeover: true })
    await worker.ask('ready', { lease: second })
    await worker.ask('release', { lease: first })
    const third = await worker.lease('web', { takeover: true })
    await worker.ask('release', { lease: third })
    await worker.lease('one')
    expect((await worker.ask('acquire', { name: 'one' }))['code']).toBe('BUSY')
    expect((await worker.ask('acquire', { name: 'none' }))['code']).toBe('NOT_FOUND')

    const body = await scrape(daemon)
    const { types } = readMetrics(body)
    const rows = Object.entries({ ...BROKER_METRICS, ...NAME_METRICS })
    expect(types).toEqual(Object.fromEntries(rows.map(([name, { type }]) => [name, type])))
    const values = (name: string, labels: Record<string, string>) => figureOf(body, name, labels)
    expect(values('fd_broker_grants_total', { name: 'web' })).toBe(3)
    expect(values('fd_broker_takeovers_total', { name: 'web' })).toBe(1)
    expect(values('fd_broker_rollbacks_total', { name: 'web' })).toBe(1)
    expect(values('fd_broker_ended_total', { name: 'web', reason: 'released' })).toBe(2)
    expect(values('fd_broker_holders', { name: 'web', state: 'ready' })).toBe(1)
    expect(values('fd_broker_holders', { name: 'one', state: 'granted' })).toBe(1)
    expect(values('fd_broker_name_refusals_total', { name: 'one', code: 'BUSY' })).toBe(1)
    expect(values('fd_broker_refusals_total', { code: 'NOT_FOUND' })).toBe(1)
    expect(values('fd_broker_ready_duration_seconds_count', { name: 'web' })).toBe(2)
    expect(values('fd_broker_drain_duration_seconds_count', { name: 'web' })).toBe(1)
    expect(values('fd_broker_connections', {})).toBe(1)
    expect(values('process_open_fds', {})).toBeGreaterThan(5)
    expect(values('process_start_time_seconds', {})).toBeLessThan(Date.now() / 1000)
    worker.close()
    await stopCleanly(daemon)
  })

  it('tell the queue and its drops as the kernel does', async () => {
    const daemon = await startDaemon({ broker: METRICS, sockets: table('web', 'backlog = 4') })
    const { sockets } = (await (await Asker.connect(daemon.control)).ask('list')) as {
      sockets: { sockets: { address: string }[] }[]
    }
    const port = Number(sockets[0]!.sockets[0]!.address.split(':').at(-1))
    const clients: Socket[] = []
    atEnd(() => {
      for (const client of clients) client.destroy()
    })
    for (let i = 0; i < 8; i++) clients.push(connect(port, '127.0.0.1').on('error', () => {}))
    const drops = async () => figureOf(await scrape(daemon), 'fd_broker_socket_drops_total', { name: 'web' })
    await until(async () => ((await drops()) ?? 0) > 0, 'the queue overflows')
    const body = await scrape(daemon)
    const ss = spawnSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'utf8' })
      .stdout.trim()
      .split(/\s+/)
    expect(figureOf(body, 'fd_broker_accept_queue_connections', { name: 'web' })).toBe(Number(ss[1]))
    expect(figureOf(body, 'fd_broker_accept_queue_limit_connections', { name: 'web' })).toBe(Number(ss[2]))
    expect([Number(ss[1]), Number(ss[2])]).toEqual([5, 4])
    // Clients try again, so both grow: the kernel is asked before and after.
    const [first, told, then] = [dropsBySs(port), (await drops())!, dropsBySs(port)]
    expect(first).toBeGreaterThan(0)
    expect(told).toBeGreaterThanOrEqual(first)
    expect(told).toBeLessThanOrEqual(then)
    expect(listenDrops()).toBeGreaterThanOrEqual(told)
    for (const client of clients) client.destroy()
    await stopCleanly(daemon)
  })

  it('are read-only, at one path, by a Unix socket of the mode of the config, which goes with the broker', async () => {
    const daemon = await startDaemon({ broker: `${METRICS}\nmetrics_mode = "0600"`, sockets: table('web') })
    const socketPath = `${daemon.directory}/metrics.sock`
    expect(statSync(socketPath).mode & 0o777).toBe(0o600)
    expect(await fetchFrom({ socketPath })).toMatchObject({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
    })
    expect((await fetchFrom({ socketPath, path: '/' })).status).toBe(404)
    expect((await fetchFrom({ socketPath, method: 'POST' })).status).toBe(405)
    expect(await fetchFrom({ socketPath, method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
    await stopCleanly(daemon)
  })

  it('are served on loopback, at the port that the log tells', async () => {
    const daemon = await startDaemon({ broker: 'metrics = "tcp://[::1]:0"', sockets: table('web') })
    const { address } = daemon.logs().find(({ msg }) => msg === 'metrics') as { address: string }
    const port = Number(address.replace('tcp://[::1]:', ''))
    expect((await fetchFrom({ host: '::1', port })).status).toBe(200)
    await stopCleanly(daemon)
  })

  it('let a scraper in beside any number of connections that ask for nothing, and the log says so once', async () => {
    const daemon = await startDaemon({ broker: METRICS, sockets: table('web') })
    const path = `${daemon.directory}/metrics.sock`
    const idle: Socket[] = []
    atEnd(() => {
      for (const client of idle) client.destroy()
    })
    for (let n = 0; n < 40; n++) idle.push(await connected(path))
    expect((await fetchFrom({ socketPath: path })).status).toBe(200)
    const told = daemon.logs().filter(({ msg }) => msg === 'metrics: idle connections closed to let others in')
    expect(told).toMatchObject([{ level: 40, connections: 1, most: 16 }])
    for (const client of idle) client.destroy()
    await stopCleanly(daemon)
  })

  it('are off by default', async () => {
    const daemon = await startDaemon({ sockets: table('web') })
    expect(daemon.logs().some(({ msg }) => msg === 'metrics')).toBe(false)
    await stopCleanly(daemon)
  })

  it.runIf(hasPromtool)('please promtool (needs promtool)', async () => {
    const daemon = await startDaemon({ broker: METRICS, sockets: table('web') })
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: await scrape(daemon),
      encoding: 'utf8',
    })
    expect([status, stdout + stderr]).toEqual([0, ''])
    await stopCleanly(daemon)
  })
})

describe('docs/metrics.md', () => {
  it('has every metric with its type and its meaning, and no other', () => {
    const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]+) \|/gm)].map(([, ...cells]) => cells)
    const metrics = Object.entries({ ...NAME_METRICS, ...BROKER_METRICS })
    expect(rows).toEqual(metrics.map(([name, { type, help }]) => [name, type, help]))
  })

  it('knows every metric that the dashboard and the alerts use', () => {
    const used = ['grafana-dashboard.json', 'alerts.yml'].flatMap((file) => {
      const text = readFileSync(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')
      return [...text.matchAll(/\b(?:fd_broker|process)_[a-z_]+\b/g)].map(([name]) => name.replace(/_bucket$/, ''))
    })
    expect(new Set(used).size).toBeGreaterThan(10)
    expect(used.filter((name) => !(name in NAME_METRICS) && !(name in BROKER_METRICS))).toEqual([])
  })
})

/** Tried again while the queue is full (EAGAIN). */
async function connected(path: string): Promise<Socket> {
  for (;;) {
    const client = connect(path)
    const came = await new Promise((resolve) =>
      client.once('connect', () => resolve(true)).on('error', () => resolve(false)),
    )
    if (came) return client
  }
}

/** `d` of skmem: what the kernel dropped at this very socket (ss(8), --memory). */
function dropsBySs(port: number): number {
  const { stdout } = spawnSync('ss', ['-Hltnm', `sport = :${port}`], { encoding: 'utf8' })
  return Number(/skmem:\(.*,d(\d+)\)/.exec(stdout)![1])
}

/** Of all listeners of the network namespace since it was made (nstat(8)). */
function listenDrops(): number {
  const { stdout } = spawnSync('nstat', ['-asz', 'TcpExtListenDrops'], { encoding: 'utf8' })
  return Number(/TcpExtListenDrops\s+(\d+)/.exec(stdout)![1])
}
