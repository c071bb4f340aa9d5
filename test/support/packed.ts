// The package as `npm pack` makes it, from a copy of the checkout: the tests of others run from its dist/ meanwhile.

import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { runtimeDependencies } from './installed-copy.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PARTS = [
  'package.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'binding.gyp',
  'dist',
  'native',
  'deploy',
  'docs',
]
const MORE = ['examples', 'scripts', '.cache/musl-arm64']

export interface Packed {
  tarball: string
  bytes: number
  /** Paths inside. */
  files: string[]
}

/** Packs into `directory`, with addons for whatever there is a compiler for. */
export function packPackage(directory: string): Packed {
  const stage = join(directory, 'stage')
  for (const part of [...PARTS, ...MORE]) {
    if (existsSync(join(ROOT, part)))
      cpSync(join(ROOT, part), join(stage, part), { recursive: true, verbatimSymlinks: true })
  }
  execFileSync(join(stage, 'scripts/prebuild'), ['--available'], { cwd: stage, stdio: ['ignore', 'ignore', 'inherit'] })
  const tarball = npmPack(stage, directory)
  const listed = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).trim().split('\n')
  return { tarball, bytes: statSync(tarball).size, files: listed.map((file) => file.replace(/^package\//, '')) }
}

/** What it needs at run time, from node_modules, so that nothing has to be fetched; optional ones are left out. */
export function packDependencies(directory: string): string[] {
  return [...runtimeDependencies(ROOT)].map(([name, from]) => {
    const tarball = join(directory, `${name.replace('/', '-')}.tgz`)
    execFileSync('tar', ['-czf', tarball, '--exclude=./node_modules', '--transform=s,^\\.,package,', '-C', from, '.'])
    return tarball
  })
}

function npmPack(from: string, to: string): string {
  execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', to], { cwd: from, stdio: 'ignore' })
  const file = readdirSync(to).find((name) => name.endsWith('.tgz'))
  if (file === undefined) throw new Error(`npm pack made nothing of ${from}`)
  return join(to, file)
}
