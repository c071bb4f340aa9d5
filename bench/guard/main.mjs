// npm run bench:guard [-- NAME… [OPTION…]]: each measurement is a program of its own, and takes the options; without names all of them run.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const NAMES = ['cost', 'hostile', 'starts', 'calm']
const words = process.argv.slice(2)
const first = words.findIndex((word) => word.startsWith('-'))
const [names, options] = first < 0 ? [words, []] : [words.slice(0, first), words.slice(first)]
const unknown = names.filter((name) => !NAMES.includes(name))
if (unknown.length > 0) {
  console.error(`no such measurement: ${unknown.join()}; there are ${NAMES.join(', ')}`)
  process.exit(100)
}
const failed = (names.length > 0 ? names : NAMES).filter((name) => {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.mjs`), ...options], {
    stdio: 'inherit',
  })
  return status !== 0
})
process.exitCode = failed.length > 0 ? 1 : 0
