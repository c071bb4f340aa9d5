// The C programs of the measurements, compiled once into build/bench.

import { execFileSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
const OUT = join(ROOT, 'build/bench')

/** The path of the program, or undefined when it does not compile for want of a library. */
export function compile(name, libraries = [], directory = 'bench/grant') {
  const source = join(ROOT, directory, `${name}.c`)
  const program = join(OUT, name)
  if (modified(program) > modified(source)) return program
  mkdirSync(OUT, { recursive: true })
  const argv = ['-O2', '-Wall', '-Wextra', '-Werror', '-o', program, source, ...libraries]
  try {
    execFileSync('gcc', argv, { stdio: libraries.length > 0 ? 'ignore' : 'inherit' })
    return program
  } catch (error) {
    if (libraries.length > 0 && error.code !== 'ENOENT') return undefined
    throw new Error(`gcc could not compile ${source}: install gcc and libc6-dev`, { cause: error })
  }
}

function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
