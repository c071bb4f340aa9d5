import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { report, times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

function fuzz(script: string, cases: number): string {
  const file = resolve(import.meta.dirname, '../../scripts', script)
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, String(cases), '7'], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

describe('mutated requests', { timeout: 600_000 }, () => {
  it(`× ${times(50_000, 2_000_000)} pass the gate as plain data or not at all`, () => {
    const said = fuzz('fuzz-protocol.mjs', times(50_000, 2_000_000))
    expect(said).toMatch(/none threw/)
    report('gate and codec', { said: said.trim() })
  })

  it(`× ${times(3000, 200_000)} leave a live broker as it was`, () => {
    const figures = JSON.parse(fuzz('fuzz-control.mjs', times(3000, 200_000)))
    report('live control socket', figures)
    expect(figures.answers).toBeGreaterThan(100)
    expect(figures.granted).toBeGreaterThan(0)
    expect(figures.rssGrownKiB).toBeLessThan(64 * 1024)
  })
})
