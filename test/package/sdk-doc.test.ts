// docs/sdk.md names all of the public API, as the built types have it.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const guide = readFileSync(join(ROOT, 'docs/sdk.md'), 'utf8')
const types = (file: string) => readFileSync(join(ROOT, 'dist/client', file), 'utf8')

/** Words of the guide that are written as code. */
const code = new Set([...guide.matchAll(/`[^`]+`|^ {4}.+$/gm)].flatMap(([span]) => span.match(/\w+/g) ?? []))

function exported(): string[] {
  const text = types('index.d.ts')
  const lists = [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, names]) => names!.match(/\w+/g) ?? [])
  const declared = [...text.matchAll(/export declare (?:const|function|class) (\w+)/g)].map(([, name]) => name!)
  return [...lists, ...declared]
}

/** Methods and properties that a class shows, but for what is marked @internal. */
function members(file: string, name: string): string[] {
  const body = types(file).split(`export declare class ${name}`)[1]!
  const shown = body.replace(/\/\*\* @internal[\s\S]*?\*\/\n.*\n/g, '')
  return [...shown.matchAll(/^ {4}(?:get |readonly )?([a-z]\w*)[(:<]/gm)].map(([, member]) => member!)
}

describe('docs/sdk.md', () => {
  it.each(exported())('names the export %s', (name) => expect(code).toContain(name))

  it.each(members('broker.d.ts', 'Broker').filter((name) => name !== 'constructor'))(
    'names the method %s of a broker',
    (name) => expect(code).toContain(name),
  )

  it.each(members('lease.d.ts', 'Lease').filter((name) => name !== 'constructor'))('names %s of a lease', (name) =>
    expect(code).toContain(name),
  )

  it('is compared with lists that are not empty', () => {
    expect(exported()).toEqual(expect.arrayContaining(['broker', 'connect', 'BrokerError', 'Lease', 'ServeOptions']))
    expect(members('broker.d.ts', 'Broker')).toEqual(expect.arrayContaining(['acquire', 'upgrade', 'history', 'close']))
    expect(members('lease.d.ts', 'Lease')).toEqual(
      expect.arrayContaining(['fd', 'sockets', 'readyWithin', 'serve', 'take']),
    )
    expect(members('lease.d.ts', 'Lease')).not.toContain('grant')
  })
})
