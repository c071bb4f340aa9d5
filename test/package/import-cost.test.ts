// What a worker pays for `import 'fd-broker'`: the SDK, and nothing of the daemon or of its packages.

import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const DIST = resolve(import.meta.dirname, '../../dist')

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
  const loaded = loadedBy(`${DIST}/client/index.js`)

  it('loads the client, and of the layers below only sys, core and protocol', () => {
    expect(loaded.some((file) => file.endsWith('/dist/client/index.js'))).toBe(true)
    expect(loaded.filter((file) => /\/dist\/(cli|daemon)\//.test(file))).toEqual([])
  })

  it('loads no packages but the one that reads MessagePack and the one that finds the addon', () => {
    const packages = loaded.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [])
    expect(new Set(packages)).toEqual(new Set(['msgpackr', 'node-gyp-build']))
  })

  it('would be seen to load pino if it did', () => {
    expect(loadedBy(`${DIST}/daemon/log.js`).some((file) => file.includes('node_modules/pino/'))).toBe(true)
  })
})
