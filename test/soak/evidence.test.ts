import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const MAIN = resolve(import.meta.dirname, '../../bench/soak/main.mjs')

interface Ended {
  code: unknown
  stdout: string
  stderr: string
}

/** A soak of a few seconds whose workers run this program; `directory` is where it may leave something. */
function soak(program: string): Promise<Ended & { directory: string }> {
  const directory = temporaryDirectory()
  const worker = join(temporaryDirectory(), 'worker.mjs')
  writeFileSync(worker, program)
  const args = [MAIN, '--json', '--minutes', '0.1', '--patience', '5', '--seed', '3', '--worker', worker]
  return new Promise((done) => {
    execFile(
      process.execPath,
      args,
      { env: { ...process.env, TMPDIR: directory }, timeout: 60_000 },
      (error, stdout, stderr) => done({ code: error?.code ?? 0, stdout, stderr, directory }),
    )
  })
}

it('a soak whose workers do not start says what they said, and ends at once', { timeout: 90_000 }, async () => {
  const { code, stdout, stderr, directory } = await soak("throw new Error('no such module')")
  expect(code).toBe(1)
  expect(stdout).toBe('')
  expect(stderr).toMatch(/worker \d+ ended with 1: [\s\S]*no such module/)
  expect(readdirSync(directory)).toEqual([])
})

const NEXT_TIMES_LATE = `import { existsSync, writeFileSync } from 'node:fs'
const mark = import.meta.filename + '-' + process.ppid
if (existsSync(mark + '-2')) throw new Error('no more')
writeFileSync(mark + (existsSync(mark) ? '-2' : ''), '')
process.on('disconnect', () => process.exit(0))
process.send('serving')
`

it('a soak keeps who has the listener when nobody accepts from it, and fails when workers do not come later', {
  timeout: 90_000,
}, async () => {
  const { code, stdout, directory } = await soak(NEXT_TIMES_LATE)
  expect(code).toBe(1)
  const result = JSON.parse(stdout)
  expect(result.failed).toBe(result.connections - result.cutByKilledWorkers)
  expect(result.missingWorkers[0]).toMatch(/ended with 1: [\s\S]*no more/)
  expect(readdirSync(directory).map((name) => join(directory, name))).toEqual([result.evidence])
  const kept = (name: string) => readFileSync(join(result.evidence, name), 'utf8')
  const { inodes, holders } = JSON.parse(kept('open.json'))
  expect(inodes).toHaveLength(1)
  // The keeper and the broker, and no worker.
  expect(holders.map(({ command }: { command: string }) => command.includes('worker.mjs'))).not.toContain(true)
  expect(holders.length).toBeGreaterThanOrEqual(2)
  expect(JSON.parse(kept('list.json')).sockets[0].holders).toMatchObject({ ready: 0, granted: 0 })
  expect(JSON.parse(kept('holders.json'))).toBeTypeOf('object')
  expect(kept('ss.txt')).toContain(`ino:${inodes[0]}`)
  expect(kept('broker.log')).toContain('"serving"')
})
