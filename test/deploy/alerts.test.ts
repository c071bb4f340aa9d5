// Each alert is provoked on a real broker: its metrics before and after become the series over which promtool evaluates the rules.

import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../bench/support/free-port.mjs'
import { addon, constants } from '../../src/sys/addon.ts'
import { Asker } from '../support/asker.ts'
import { atEnd } from '../support/cleanup.ts'
import {
  childrenOf,
  type Daemon,
  type DaemonOptions,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  until,
} from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { figureOf, readMetrics, scrape } from '../support/metrics.ts'

forbidLeaks()

const RULES = resolve(import.meta.dirname, '../../deploy/alerts.yml')
const hasPromtool = spawnSync('promtool', ['--version']).status === 0

const SOCKETS = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\nbacklog = 4'
const start = (options: Partial<DaemonOptions> = {}) =>
  startDaemon({ broker: 'metrics = "unix://{dir}/metrics.sock"', sockets: SOCKETS, ...options })

/** The alerts that fire when `before` was scraped for 5 minutes, and then `after` for 5 more. Without `up`: by nobody. */
function firing(before: string, after: string, { up = true } = {}): string[] {
  const directory = temporaryDirectory()
  copyFileSync(RULES, join(directory, 'alerts.yml'))
  const names = [...readFileSync(RULES, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name!)
  const fires = (alert: string) => {
    const test = { eval_time: '10m', alertname: alert, exp_alerts: [] }
    const file = {
      rule_files: ['alerts.yml'],
      evaluation_interval: '15s',
      tests: [
        {
          interval: '15s',
          input_series: [...series(before, after), ...(up ? [upSeries(before, after)] : [])],
          alert_rule_test: [test],
        },
      ],
    }
    writeFileSync(join(directory, 'test.yml'), JSON.stringify(file))
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'test.yml'], {
      cwd: directory,
      encoding: 'utf8',
    })
    // It expects that the alert does not fire, so a failure that has the alert's labels is what proves that it does.
    if (status === 0) return false
    expect(stdout + stderr).toContain(`alertname="${alert}"`)
    return true
  }
  return names.filter(fires)
}

function series(before: string, after: string): { series: string; values: string }[] {
  const values = new Map<string, [number | undefined, number | undefined]>()
  for (const [at, body] of [before, after].entries()) {
    for (const [name, labels, value] of body === '' ? [] : readMetrics(body).samples) {
      const all = Object.entries({ ...labels, job: 'fd-broker', instance: 'test' })
      const key = `${name}{${all.map(([label, text]) => `${label}=${JSON.stringify(text)}`).join(',')}}`
      const pair = values.get(key) ?? [undefined, undefined]
      pair[at] = value
      values.set(key, pair)
    }
  }
  const run = (value: number | undefined) => (value === undefined ? '_x20' : `${value}x20`)
  return [...values].map(([key, [first, then]]) => ({ series: key, values: `${run(first)} ${run(then)}` }))
}

/** What Prometheus adds to each scrape; an empty body is a failed one. */
function upSeries(before: string, after: string): { series: string; values: string } {
  const [first, then] = [before, after].map((body) => (body === '' ? '0x20' : '1x20'))
  return { series: 'up{job="fd-broker",instance="test"}', values: `${first} ${then}` }
}

/** Undefined while no broker answers. */
async function deaths(daemon: Daemon): Promise<number | undefined> {
  try {
    return figureOf(await scrape(daemon), 'fd_broker_restarts_total')
  } catch {
    return undefined
  }
}

async function serving(daemon: Daemon): Promise<Asker> {
  const worker = await Asker.connect(daemon.control)
  await worker.lease('web', { ready: true })
  return worker
}

describe.runIf(hasPromtool)('the alerts (needs promtool)', () => {
  it('are all silent while a worker serves', async () => {
    const daemon = await start()
    const worker = await serving(daemon)
    const body = await scrape(daemon)
    expect(firing(body, body)).toEqual([])
    worker.close()
    await stopCleanly(daemon)
  })

  it('tell of a queue near its limit, and of what it dropped', async () => {
    const daemon = await start()
    const worker = await serving(daemon)
    const before = await scrape(daemon)
    const { sockets } = (await worker.ask('list')) as { sockets: { sockets: { address: string; drops: number }[] }[] }
    const port = Number(sockets[0]!.sockets[0]!.address.split(':').at(-1))
    const clients: Socket[] = []
    atEnd(() => {
      for (const client of clients) client.destroy()
    })
    for (let i = 0; i < 8; i++) clients.push(connect(port, '127.0.0.1').on('error', () => {}))
    const dropped = async () => readMetrics(await scrape(daemon)).samples.find(([name]) => name.includes('drops'))![2]
    await until(async () => (await dropped()) > 0, 'the queue overflows')
    expect(firing(before, await scrape(daemon))).toEqual(['FdBrokerQueueNearLimit', 'FdBrokerConnectionsDropped'])
    for (const client of clients) client.destroy()
    worker.close()
    await stopCleanly(daemon)
  })

  it('tell of a name without a ready holder', async () => {
    const daemon = await start()
    const worker = await serving(daemon)
    const before = await scrape(daemon)
    worker.close()
    await until(() => daemon.logs().some(({ msg }) => msg === 'died'), 'the lease has ended')
    expect(firing(before, await scrape(daemon))).toEqual(['FdBrokerNoReadyHolder'])
    await stopCleanly(daemon)
  })

  it('tell of a datagram socket’s queue near its limit, and of what it dropped', async () => {
    const udp = '[sockets.dns]\nlisten = "udp://127.0.0.1:0"\nallow = ["any"]\nreceive_buffer = 4608'
    const daemon = await start({ sockets: udp })
    const worker = await Asker.connect(daemon.control)
    await worker.lease('dns', { ready: true })
    const before = await scrape(daemon)
    const { sockets } = (await worker.ask('list')) as { sockets: { sockets: { address: string }[] }[] }
    const port = Number(sockets[0]!.sockets[0]!.address.split(':').at(-1))
    const client = createSocket('udp4')
    atEnd(() => client.close())
    const dropped = async () => figureOf(await scrape(daemon), 'fd_broker_socket_drops_total', { name: 'dns' })
    await until(async () => {
      await new Promise((sent) => client.send(Buffer.alloc(100), port, '127.0.0.1', sent))
      return (await dropped())! > 0
    }, 'the queue overflows')
    expect(firing(before, await scrape(daemon))).toEqual(['FdBrokerQueueNearLimit', 'FdBrokerConnectionsDropped'])
    worker.close()
    await stopCleanly(daemon)
  })

  it('tell of a broker that does not answer, and of one that nobody asks', async () => {
    const daemon = await start()
    const worker = await serving(daemon)
    const before = await scrape(daemon)
    worker.close()
    await stopCleanly(daemon)
    expect(firing(before, '')).toEqual(['FdBrokerDown'])
    expect(firing('', '', { up: false })).toEqual(['FdBrokerDown'])
  })

  it('tell of a name whose address another process has', async () => {
    const port = await freePort()
    const sockets = SOCKETS.replace(':0', `:${port}`)
    const daemon = await start({ sockets })
    const worker = await serving(daemon)
    const before = await scrape(daemon)
    worker.close()
    await daemon.stop('SIGKILL')
    const stranger = createServer()
    atEnd(() => stranger.close())
    await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve))
    const next = await start({ directory: daemon.directory, sockets })
    expect(firing(before, await scrape(next))).toEqual(['FdBrokerNoReadyHolder', 'FdBrokerLost', 'FdBrokerRestarted'])
    await stopCleanly(next)
  })

  it('tell of a rollback', async () => {
    const daemon = await start()
    const worker = await serving(daemon)
    const before = await scrape(daemon)
    const lease = await worker.lease('web', { takeover: true })
    await worker.ask('release', { lease })
    expect(firing(before, await scrape(daemon))).toEqual(['FdBrokerRollback'])
    worker.close()
    await stopCleanly(daemon)
  })

  it('tell of a socket that a holder shut, which the guard repaired', async () => {
    const daemon = await start()
    const worker = await serving(daemon)
    const before = await scrape(daemon)
    const { fds } = await worker.received('acquire', { name: 'web' })
    addon.shutdown(fds[0]!.fd, constants.SHUT_RDWR)
    for (const fd of fds) fd.close()
    const repairs = async () => figureOf(await scrape(daemon), 'fd_broker_repairs_total', { name: 'web' })
    await until(async () => (await repairs()) === 1, 'the repair is counted')
    expect(firing(before, await scrape(daemon))).toEqual(['FdBrokerRepair'])
    worker.close()
    await stopCleanly(daemon)
  })

  it('tell of a broker that died and was started again by its keeper', async () => {
    const daemon = await start({ keeper: true })
    const worker = await serving(daemon)
    const before = await scrape(daemon)
    const [broker] = childrenOf(daemon.pid)
    process.kill(broker!, 'SIGKILL')
    await until(async () => (await deaths(daemon)) === 1, 'the next broker serves')
    const other = await serving(daemon)
    expect(firing(before, await scrape(daemon))).toEqual(['FdBrokerDied', 'FdBrokerRestarted'])
    worker.close()
    other.close()
    await stopCleanly(daemon)
  })

  it('tell of a broker that was restarted', async () => {
    const first = await start()
    const worker = await serving(first)
    const before = await scrape(first)
    worker.close()
    await stopCleanly(first)
    const second = await start({ directory: first.directory })
    const other = await serving(second)
    expect(firing(before, await scrape(second))).toEqual(['FdBrokerRestarted'])
    other.close()
    await stopCleanly(second)
  })
})
