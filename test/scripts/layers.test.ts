import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/layers.mjs', import.meta.url))

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'layers-'))
})
afterEach(() => rmSync(root, { recursive: true }))

/** Writes a tree of sources and returns what the check says about it. */
function check(tree: Record<string, string>): { status: number | null; lines: string[] } {
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const { status, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' })
  return { status, lines: stderr.split('\n').filter((line) => line !== '') }
}

/** One violation, in one line of one file. */
function violation(path: string, text: string, others: Record<string, string> = {}): string {
  const { status, lines } = check({ [path]: text, ...others })
  expect(lines).toHaveLength(1)
  expect(status).toBe(1)
  return lines[0]!
}

describe('a tree that keeps the rule', () => {
  it('passes, and its tests may import anything', () => {
    const { status, lines } = check({
      'src/protocol/a.ts':
        "import { isUtf8 } from 'node:buffer'\nimport { Packr } from 'msgpackr/pack'\nexport { Packr, isUtf8 }",
      'src/protocol/a.test.ts': "import 'vitest'\nimport '../cli/main.ts'",
      'src/core/b.ts':
        "export * from '../protocol/a.ts'\nexport const text = \"import 'node:net'\" // import 'node:net'",
      'src/sys/c.ts': "import build from 'node-gyp-build'\nexport default build",
      'src/cli/main.ts':
        "import { Command } from 'commander'\nexport const make = () => import('../sys/c.ts')\nexport { Command }",
    })
    expect(lines).toEqual([])
    expect(status).toBe(0)
  })

  it('is never an empty one', () => {
    const { status } = check({ 'src/core/b.test.ts': '' })
    expect(status).toBe(1)
  })
})

describe('an import that points up is found in whatever form it is written', () => {
  it.each([
    ['a static import', "import { run } from '../daemon/run.ts'"],
    ['a type import', "import type { Run } from '../daemon/run.ts'"],
    ['an import for its effect', "import '../daemon/run.ts'"],
    ['a re-export', "export { run } from '../daemon/run.ts'"],
    ['a re-export of all', "export * from '../daemon/run.ts'"],
    ['a dynamic import', "const run = await import('../daemon/run.ts')"],
    ['a dynamic import of a template', 'const run = await import(`../daemon/run.ts`)'],
    ['an inline type', "let run: import('../daemon/run.ts').Run"],
    ['an import assignment', "import run = require('../daemon/run.ts')"],
    ['a require', "const run = require('../daemon/run.ts')"],
    ['a resolve', "const run = require.resolve('../daemon/run.ts')"],
  ])('%s', (_form, text) => {
    expect(violation('src/client/a.ts', `\n${text}\n`)).toBe(
      'src/client/a.ts:2: src/client must not import src/daemon: imports point down',
    )
  })

  it('a require made by createRequire under another name', () => {
    const text =
      "import { createRequire as make } from 'node:module'\nconst load = make(import.meta.url)\nload('../daemon/a.ts')"
    expect(violation('src/client/a.ts', text)).toMatch(/^src\/client\/a\.ts:3: src\/client must not import src\/daemon/)
  })
})

describe('what is kept out of a layer', () => {
  it('I/O out of core', () => {
    expect(violation('src/core/a.ts', "import type { Socket } from 'node:net'")).toContain('must not import node:net')
  })
  it('other packages out of protocol', () => {
    expect(violation('src/protocol/a.ts', "import 'msgpackr'")).toContain('(allowed: msgpackr/pack)')
  })
  it('a built-in module without its prefix', () => {
    expect(violation('src/cli/a.ts', "import 'net'")).toContain('must not import net')
  })
  it('one’s own clock out of core', () => {
    expect(violation('src/core/a.ts', 'export const now = Date.now()')).toContain('must not use Date.now')
  })
  it('timers out of core', () => {
    expect(violation('src/core/a.ts', 'setTimeout(() => {}, 1)')).toContain('must not use setTimeout')
  })
  it('the addon out of all but sys', () => {
    expect(violation('src/daemon/a.ts', "import 'node-gyp-build'")).toContain('must not import node-gyp-build')
  })
  it('a .node file out of all but sys', () => {
    expect(violation('src/daemon/a.ts', "require('../sys/a.node')")).toContain('only src/sys loads native code')
  })
  it('dlopen out of all but sys', () => {
    expect(violation('src/daemon/a.ts', "process.dlopen(module, 'a')")).toContain('only src/sys loads native code')
  })
  it('tests out of sources', () => {
    expect(violation('src/core/a.ts', "import './b.test.ts'", { 'src/core/b.test.ts': '' })).toContain(
      'imports the test',
    )
  })
  it('files outside src', () => {
    expect(violation('src/core/a.ts', "import '../../test/a.ts'")).toContain('outside src/')
  })
  it('a name computed at run time', () => {
    expect(violation('src/cli/a.ts', 'export const load = (name: string) => import(name)')).toContain(
      'computed at run time',
    )
  })
  it('a file that belongs to no layer', () => {
    expect(violation('src/utils/a.ts', 'export {}')).toContain('is in no layer')
  })
  it('a file that cannot be read', () => {
    expect(violation('src/core/a.ts', 'export const = 1')).toContain('cannot be read')
  })
})

it('finds an import cycle, also one of types, and names its files', () => {
  const others = { 'src/core/b.ts': "import type { C } from './c.ts'\n", 'src/core/c.ts': "export * from './a.ts'\n" }
  expect(violation('src/core/a.ts', "export * from './b.ts'\n", others)).toBe(
    'src/core/c.ts:1: closes an import cycle: src/core/a.ts -> src/core/b.ts -> src/core/c.ts -> src/core/a.ts',
  )
})

it('lets a local variable have the name of a global', () => {
  const { lines } = check({ 'src/core/a.ts': 'export const pid = (process: { pid: number }) => process.pid' })
  expect(lines).toEqual([])
})
