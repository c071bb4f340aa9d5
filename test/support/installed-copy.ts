// The built package with its dependencies, where every user can read it: a checkout may lie in somebody's home directory.

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterAll } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const BUILT = ['package.json', 'dist', 'build/Release/fd_broker.node', 'build/Release/fd-broker-keeper', 'examples']

/** Copies it once for the file that calls this; removed after the file's tests. The returned function gives its root. */
export function useInstalledCopy(): () => string {
  let copy: string | undefined
  afterAll(() => {
    if (copy !== undefined) rmSync(copy, { recursive: true, force: true })
  })
  return () => (copy ??= makeCopy())
}

function makeCopy(): string {
  // For all tests of the file, so not among what each of them must have removed.
  const copy = mkdtempSync(join(dirname(tmpdir()), 'fd-broker-copy-'))
  for (const part of BUILT) cpSync(join(ROOT, part), join(copy, part), { recursive: true })
  for (const [name, directory] of dependencies(ROOT, true)) {
    cpSync(directory, join(copy, 'node_modules', name), { recursive: true, dereference: true })
  }
  // Whatever umask the checkout was made with.
  execFileSync('chmod', ['-R', 'a+rX', copy])
  return copy
}

interface Manifest {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** What the package cannot do without, by name, with where it is. */
export function runtimeDependencies(directory: string): Map<string, string> {
  return dependencies(directory, false)
}

function dependencies(directory: string, optional: boolean, found = new Map<string, string>()): Map<string, string> {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as Manifest
  for (const name of Object.keys({ ...manifest.dependencies, ...(optional && manifest.optionalDependencies) })) {
    const at = locate(directory, name)
    if (at === undefined || found.has(name)) continue
    found.set(name, at)
    dependencies(at, optional, found)
  }
  return found
}

function locate(from: string, name: string): string | undefined {
  const places = createRequire(join(from, 'package.json')).resolve.paths(name) ?? []
  const place = places.find((place) => existsSync(join(place, name, 'package.json')))
  return place === undefined ? undefined : join(dirname(join(place, name, 'package.json')))
}
