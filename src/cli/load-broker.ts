// The broker as one file, dist/cli/broker.cjs, which scripts/build makes of two hundred, with what V8 made of it beside it (V8's code
// cache): clients of a broker that died wait for the next one, and reading and compiling took longer than all that it does then.
//
// A cache is used when its digest says that it was made of this very file by this very Node, and V8 that it would make the same; else, or
// when there is none, the broker only starts later. Without broker.cjs it starts from its pieces. V8 forgets in a cache how to import
// (HostDefinedOptions), so nothing in it is imported at run time: main.ts loads it for `serve` alone.

import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { cachedDataVersionTag } from 'node:v8'
import { Script } from 'node:vm'

type Broker = typeof import('./broker.ts')

const DIGEST_BYTES = 32

export interface BrokerScript {
  script: Script
  evaluate(): Broker
}

export async function loadBroker(): Promise<Broker> {
  return compileBroker()?.evaluate() ?? import('./broker.ts')
}

/** Undefined where the broker is not of one piece. */
export function compileBroker(directory = import.meta.dirname): BrokerScript | undefined {
  const filename = join(directory, 'broker.cjs')
  const source = read(filename)
  if (source === undefined) return undefined
  const cachedData = openCache(read(cachePath(directory)), source)
  const script = new Script(
    `(function (exports, require, module, __filename, __dirname) {${source.toString('latin1')}\n})`,
    {
      filename,
      ...(cachedData !== undefined && { cachedData }),
    },
  )
  const evaluate = () => {
    const module = { exports: {} }
    script.runInThisContext()(module.exports, createRequire(filename), module, filename, directory)
    return module.exports as Broker
  }
  return { script, evaluate }
}

export const cachePath = (directory: string) => join(directory, 'broker.cache')

/** As it is written: a digest of the file that it was made of and of the cache, and the cache. */
export function sealCache(cache: Buffer, directory: string): Buffer {
  return Buffer.concat([digest(readFileSync(join(directory, 'broker.cjs')), cache), cache])
}

function openCache(sealed: Buffer | undefined, source: Buffer): Buffer | undefined {
  if (sealed === undefined) return undefined
  const cache = sealed.subarray(DIGEST_BYTES)
  return digest(source, cache).equals(sealed.subarray(0, DIGEST_BYTES)) ? cache : undefined
}

function digest(source: Buffer, cache: Buffer): Buffer {
  const { size, mtimeMs } = statSync(process.execPath)
  const node = [process.version, process.arch, cachedDataVersionTag(), size, mtimeMs].join()
  return createHash('sha256').update(node).update(source).update(cache).digest()
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
