// npm run bench [-- --quick] [--only grant,growth] [--json FILE]: every comparison, each in one run, as tables with ratios, and as JSON in
// bench/results.json. bench/README.md explains each row. `--quick`: a tenth of the rounds, to see that it works.

import { writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { printSection } from './support/table.mjs'

const SECTIONS = ['grant', 'growth', 'gap', 'data-plane', 'recovery']

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: SECTIONS.join(',') },
    json: { type: 'string', default: join(import.meta.dirname, 'results.json') },
  },
})
const only = values.only.split(',')
const unknown = only.filter((name) => !SECTIONS.includes(name))
if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}; there are ${SECTIONS.join(', ')}`)
  process.exit(100)
}

const results = {
  at: new Date().toISOString(),
  node: process.version,
  kernel: release(),
  cpu: cpus()[0]?.model,
  cores: cpus().length,
}
for (const name of SECTIONS.filter((section) => only.includes(section))) {
  const { run } = await import(`./${name}/main.mjs`)
  const section = await run({ quick: values.quick })
  printSection(section)
  results[name] = section
  writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
}
console.log(`\nbench: written to ${values.json}`)
