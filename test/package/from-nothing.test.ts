// The tutorial is followed to the letter, from an empty directory, with the package as it is published (the README: tarball.test.ts).

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { forbidLeaks } from '../support/leaks.ts'
import { packDependencies, packPackage } from '../support/packed.ts'
import { followDocument } from '../support/readme.ts'

forbidLeaks()

const ROOT = resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8')

let directory: string
let tarballs: string[]
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'fd-broker-pack-'))
  tarballs = [packPackage(directory).tarball, ...packDependencies(directory)]
}, 300_000)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe('a person in an empty directory gets from nothing to a takeover', { timeout: 240_000 }, () => {
  it('by the tutorial alone', () => followDocument('docs/tutorial.md', tarballs))
})

describe('what README and tutorial show', () => {
  it.each(['README.md', 'docs/tutorial.md'])('of server.mjs is in it: %s', (file) => {
    const server = read('examples/tutorial/server.mjs')
    const shown = [...read(file).matchAll(/^ {4}((?:const web|await web).*?)(?: +\/\/.*)?$/gm)].map(([, line]) => line!)
    expect(shown).toHaveLength(2)
    for (const line of shown) expect(server).toContain(line)
  })

  it('as commands is all run: one that is not in a console block is in the table of test/examples/commands.test.ts', () => {
    const set = [
      ...read('docs/tutorial.md').matchAll(/^ {4}(?:\$ )?(?:npm|npx|node|curl|cd|cp|export|sudo|kill)\b.*$/gm),
    ]
    expect(set.map(([line]) => line)).toEqual([])
    expect(readdirSync(join(ROOT, 'examples/tutorial')).sort()).toEqual(['broker.toml', 'server.mjs'])
  })
})
