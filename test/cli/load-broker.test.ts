// The broker of one piece, and what V8 made of it: never of another file, and never what is not whole.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Script } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { cachePath, compileBroker, sealCache } from '../../src/cli/load-broker.ts'
import { CLI, stopCleanly, temporaryDirectory } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'
import { killBroker, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()
const installedCopy = useInstalledCopy()

const BUILT = resolve(CLI, '..')
const SOCKETS = `[sockets.web]\nlisten = "unix://{dir}/web.sock"\nallow = ["user:${process.getuid!()}"]`

/** A broker of one piece that says `said`, and the cache of it. */
function tinyBroker(said: string): string {
  const directory = temporaryDirectory()
  writeFileSync(join(directory, 'broker.cjs'), `exports.run = () => '${said}'\n`)
  const broker = compileBroker(directory)!
  broker.evaluate().run([], {} as never)
  writeFileSync(cachePath(directory), sealCache(broker.script.createCachedData(), directory))
  return directory
}

const saysOf = (directory: string) =>
  compileBroker(directory)!
    .evaluate()
    .run([], {} as never)
const isCached = (directory: string) => compileBroker(directory)!.script.cachedDataRejected

describe('what V8 made of the broker', () => {
  it('is there after a build, and is taken by the Node that built it', () => {
    expect(compileBroker(BUILT)!.script.cachedDataRejected).toBe(false)
  })

  it('of another file of the same length is run by V8 as if it were this one’s', () => {
    const [one, other] = ["(() => 'one')", "(() => 'two')"]
    const script = new Script(one)
    script.runInThisContext()()
    const cachedData = script.createCachedData()
    expect(new Script(other, { cachedData }).runInThisContext()()).toBe('one')
  })

  it('of another file of the same length is not taken', () => {
    const directory = tinyBroker('one')
    expect([saysOf(directory), isCached(directory)]).toEqual(['one', false])
    writeFileSync(join(directory, 'broker.cjs'), "exports.run = () => 'two'\n")
    expect([saysOf(directory), isCached(directory)]).toEqual(['two', undefined])
  })

  it.each<[string, (cache: Buffer) => Buffer]>([
    ['has a bit turned', (cache) => Buffer.from(cache).fill(cache.at(-1)! ^ 1, cache.length - 1)],
    ['was made by another Node', (cache) => Buffer.from(cache).fill(0, 0, 32)],
    ['is cut off', (cache) => cache.subarray(0, cache.length / 2)],
    ['is shorter than a digest', (cache) => cache.subarray(0, 7)],
    ['is empty', () => Buffer.alloc(0)],
  ])('is not taken when it %s', (_, spoil) => {
    const directory = tinyBroker('one')
    const path = cachePath(directory)
    writeFileSync(path, spoil(readFileSync(path)))
    expect([saysOf(directory), isCached(directory)]).toEqual(['one', undefined])
  })

  it('is refused by V8 itself when it is no cache, though its digest is right', () => {
    const directory = tinyBroker('one')
    // Not compiled before by this process, which would remember it.
    writeFileSync(join(directory, 'broker.cjs'), "exports.run = () => 'three'\n")
    writeFileSync(cachePath(directory), sealCache(Buffer.from('not a cache'), directory))
    expect([isCached(directory), saysOf(directory)]).toEqual([true, 'three'])
  })

  it('is not needed', () => {
    const directory = tinyBroker('one')
    rmSync(cachePath(directory))
    expect(saysOf(directory)).toBe('one')
  })
})

it.each<[string, (cli: string) => void]>([
  ['without what V8 made of it', (cli) => rmSync(cachePath(cli))],
  ['with something else in its place', (cli) => writeFileSync(cachePath(cli), 'x'.repeat(100_000))],
  ['of pieces', (cli) => rmSync(join(cli, 'broker.cjs'))],
])('a broker starts, and comes back, %s', async (_, change) => {
  const copy = temporaryDirectory()
  cpSync(installedCopy(), copy, { recursive: true })
  const cli = join(copy, 'dist/cli')
  change(cli)
  const daemon = await startKept({ sockets: SOCKETS, cli: join(cli, 'main.js') })
  await killBroker(daemon)
  await stopCleanly(daemon)
})
