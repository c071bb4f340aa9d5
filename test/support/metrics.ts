// Scrapes a broker's metrics, and has them read by a strict reader that knows nothing of ours.

import { spawnSync } from 'node:child_process'
import { get, type RequestOptions } from 'node:http'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Daemon } from './daemon.ts'

const READER = resolve(import.meta.dirname, '../python/check_metrics.py')

export type Sample = [name: string, labels: Record<string, string>, value: number]

export interface Answer {
  status: number
  type: string
  body: string
}

export function fetchFrom(where: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get({ path: '/metrics', agent: false, ...where }, async (response) => {
      resolve({
        status: response.statusCode ?? 0,
        type: response.headers['content-type'] ?? '',
        body: await text(response),
      })
    })
    request.on('error', reject)
  })
}

/** The text of a broker with `metrics = "unix://{dir}/metrics.sock"`. */
export async function scrape(daemon: Daemon): Promise<string> {
  return (await fetchFrom({ socketPath: `${daemon.directory}/metrics.sock` })).body
}

export function readMetrics(body: string): { types: Record<string, string>; samples: Sample[] } {
  const { status, stdout, stderr } = spawnSync('python3', [READER], { input: body, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${stderr}\n${body}`)
  return JSON.parse(stdout)
}

/** The value of the one series with these labels among others; undefined when there is none. */
export function figureOf(body: string, name: string, labels: Record<string, string> = {}): number | undefined {
  const fits = (sample: Sample) =>
    sample[0] === name && Object.entries(labels).every(([label, value]) => sample[1][label] === value)
  const found = readMetrics(body).samples.filter(fits)
  if (found.length > 1) throw new Error(`${found.length} series of ${name}`)
  return found[0]?.[2]
}
