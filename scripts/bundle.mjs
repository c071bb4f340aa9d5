// Puts the modules that a broker and a worker load into one file each: reading two hundred costs more than running them.
//   dist/cli/broker.js      what the broker imports, but for packages with files of their own to load, and what a broker never runs
//   dist/client/fd-broker.js   what `import 'fd-broker'` is

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const root = resolve(import.meta.dirname, '..')
const cli = join(root, 'dist/cli')
const client = join(root, 'dist/client')
const packages = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies)
const inside = new Set(['valibot', 'smol-toml', 'commander', 'msgpackr'])
const outside = [/^node:/, ...packages.filter((name) => !inside.has(name)), 'unix-dgram']

async function write(input, external, options) {
  const bundle = await rolldown({
    input,
    platform: 'node',
    external: (id) => external.some((name) => (typeof name === 'string' ? id === name : name.test(id))),
  })
  // Lines stay as they are: of an error that nobody catches Node.js prints the whole line.
  const { output } = await bundle.write({ format: 'esm', comments: false, ...options })
  await bundle.close()
  return output.map(({ fileName }) => fileName)
}

const broker = await write(
  join(cli, 'broker.js'),
  [...outside, /[/\\]cli[/\\]commands[/\\](?!serve)/, /[/\\]client[/\\]/],
  { dir: cli, chunkFileNames: 'broker-[name].js' },
)
if (!broker.includes('broker.js')) throw new Error('dist/cli/broker.js was not written')

const sdk = await write(join(client, 'index.js'), outside, { file: join(client, 'fd-broker.js') })
if (sdk.length !== 1) throw new Error(`the SDK is not one file: ${sdk.join(', ')}`)
