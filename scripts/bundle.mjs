// Puts the modules that a broker and a worker load into one file each: reading two hundred costs more than running them.
//   dist/cli/broker.cjs        what a broker under its keeper loads (src/cli/load-broker.ts), but for what it never runs
//   dist/client/fd-broker.js   what `import 'fd-broker'` is

import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const root = resolve(import.meta.dirname, '..')
const cli = join(root, 'dist/cli')
const client = join(root, 'dist/client')
const packages = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies)

/** What looks for files of its own. */
const NATIVE = ['node-gyp-build', 'unix-dgram']

async function write(input, external, options) {
  const bundle = await rolldown({
    input,
    platform: 'node',
    external: (id) => external.some((name) => (typeof name === 'string' ? id === name : name.test(id))),
  })
  // Lines stay as they are: of an error that nobody catches Node.js prints the whole line.
  const { output } = await bundle.write({ comments: false, codeSplitting: false, ...options })
  await bundle.close()
  if (output.length !== 1) throw new Error(`not one file: ${output.map(({ fileName }) => fileName).join(', ')}`)
}

const broker = join(cli, 'broker.cjs')
await write(join(cli, 'broker.js'), [/^node:/, ...NATIVE, /[/\\]cli[/\\]commands[/\\](?!serve)/, /[/\\]client[/\\]/], {
  format: 'cjs',
  file: broker,
})
const imported = readFileSync(broker, 'utf8').match(/\bimport\([^)]*\)/g) ?? []
const fault = imported.find((each) => !/\.\/(commands|client)\//.test(each))
if (fault) throw new Error(`${fault} in the broker: where V8's cache is used nothing can be imported at run time`)
// ASCII is read as it is, without decoding; elsewhere than in strings, templates and expressions there is nothing else.
const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
writeFileSync(broker, readFileSync(broker, 'utf8').replace(/[^\0-\x7f]/g, escaped))

const sdk = join(client, 'fd-broker.js')
await write(join(client, 'index.js'), [/^node:/, ...packages.filter((name) => name !== 'msgpackr'), 'unix-dgram'], {
  format: 'esm',
  file: sdk,
})
