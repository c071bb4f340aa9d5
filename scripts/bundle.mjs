// Puts into dist/cli/broker.js what it imports, but for packages with files of their own to load, and what a broker never runs.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const root = resolve(import.meta.dirname, '..')
const cli = join(root, 'dist/cli')
const packages = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies)
const inside = new Set(['valibot', 'smol-toml', 'commander', 'msgpackr'])
const outside = [
  /^node:/,
  ...packages.filter((name) => !inside.has(name)),
  'unix-dgram',
  /[/\\]cli[/\\]commands[/\\](?!serve)/,
  /[/\\]client[/\\]/,
]

const bundle = await rolldown({
  input: join(cli, 'broker.js'),
  platform: 'node',
  external: (id) => outside.some((name) => (typeof name === 'string' ? id === name : name.test(id))),
})
const { output } = await bundle.write({
  dir: cli,
  format: 'esm',
  minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  chunkFileNames: 'broker-[name].js',
})
await bundle.close()
if (!output.some(({ fileName }) => fileName === 'broker.js')) throw new Error('dist/cli/broker.js was not written')
