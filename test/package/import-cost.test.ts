// What a worker pays for `import 'fd-broker'`: the SDK, and nothing of the daemon or of its packages.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const DIST = resolve(import.meta.dirname, '../../dist')
const manifest = JSON.parse(readFileSync(resolve(DIST, '../package.json'), 'utf8'))

/** The files that are loaded when `entry` is imported, by Node's own loader. */
function loadedBy(entry: string): string[] {
  const script = `
    import { register, createRequire } from 'node:module'
    import { writeSync } from 'node:fs'
    const hook = 'import { writeSync } from "node:fs"\\nexport async function load(url, context, next) {' +
      'writeSync(1, url + "\\\\n"); return next(url, context) }'
    register('data:text/javascript,' + encodeURIComponent(hook))
    await import(${JSON.stringify(entry)})
    for (const file of Object.keys(createRequire(import.meta.url).cache)) writeSync(1, file + '\\n')`
  const out = execFileSync(process.execPath, ['--input-type=module', '--no-warnings', '-e', script], {
    encoding: 'utf8',
  })
  return out.split('\n').filter((line) => line !== '' && !line.startsWith('node:'))
}

describe('import of the SDK', () => {
  const { default: entry } = manifest.exports['.']
  const loaded = loadedBy(resolve(DIST, '..', entry))

  it('loads one file of its own and the addon', () => {
    const own = loaded.filter((file) => !file.includes('/node_modules/') && /\/(dist|build|prebuilds)\//.test(file))
    expect(own.map((file) => /[^/]+\.(?:js|node)$/.exec(file)?.[0]).sort()).toEqual(['fd-broker.js', 'fd_broker.node'])
  })

  it('leaves out the modules of Node that only a server needs, which has them loaded', () => {
    const script = `import(${JSON.stringify(resolve(DIST, '..', entry))}).then(() => console.log(process.moduleLoadList.join()))`
    const list = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })
    expect(list).toContain('NativeModule net')
    for (const name of ['http', 'https', 'tls', 'http2', 'cluster'])
      expect(list.split(/,|\n/)).not.toContain(`NativeModule ${name}`)
  })

  it('loads no package but the one that finds the addon; the one that reads MessagePack is in its own file', () => {
    const packages = loaded.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [])
    expect(new Set(packages)).toEqual(new Set(['node-gyp-build']))
  })

  it('would be seen to load pino if it did', () => {
    expect(loadedBy(`${DIST}/daemon/log.js`).some((file) => file.includes('node_modules/pino/'))).toBe(true)
  })
})
