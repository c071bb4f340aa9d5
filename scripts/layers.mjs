// The import rule, as data. Imports point down this table only; `npm run lint` runs it. Usage: layers.mjs [ROOT]

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { readReferences } from './imports.mjs'

/** From the top down. `node`: which of Node's modules; `packages`: which of npm's; `pure`: no clock, no process, no I/O. */
const LAYERS = {
  cli: { node: 'any', packages: ['commander'] },
  daemon: { node: 'any', packages: ['pino', 'smol-toml', 'valibot'] },
  client: { node: 'any', packages: [] },
  sys: { node: 'any', packages: ['node-gyp-build', 'unix-dgram'], native: true },
  core: { node: [], packages: [], pure: true },
  protocol: { node: ['node:buffer'], packages: ['msgpackr/pack'], pure: true },
}

/** What would make a pure layer depend on when and where it runs. */
const IMPURE = new Set(
  `process console performance crypto fetch globalThis Date.now Math.random
   setTimeout setInterval setImmediate queueMicrotask`.split(/\s+/),
)

const ORDER = Object.keys(LAYERS)
const root = resolve(process.argv[2] ?? '.')
const source = join(root, 'src')

/** The layer of a file: the folder below src/ that it stands in. */
const layerOf = (file) => relative(source, file).split('/')[0]
const isTest = (file) => /\.test\.[cm]?ts$/.test(file)

function importFault(layer, file, specifier) {
  const rule = LAYERS[layer]
  if (specifier === undefined) return 'imports a name computed at run time, which no rule can check'
  if (specifier.endsWith('.node') && !rule.native) return `imports ${specifier}: only src/sys loads native code`
  if (specifier.startsWith('.')) return relativeFault(layer, resolve(dirname(file), specifier))
  const allowed = specifier.startsWith('node:') ? rule.node : rule.packages
  if (allowed === 'any' || allowed.includes(specifier)) return undefined
  return `src/${layer} must not import ${specifier} (allowed: ${allowed.join(', ') || 'none'})`
}

function relativeFault(layer, target) {
  if (target === join(root, 'package.json') && !LAYERS[layer].pure) return undefined
  if (!target.startsWith(`${source}/`)) return `imports ${relative(root, target)}, which is outside src/`
  if (isTest(target)) return `imports the test ${relative(root, target)}`
  const to = layerOf(target)
  if (ORDER.indexOf(to) < 0) return `imports ${relative(root, target)}, which is in no layer`
  return ORDER.indexOf(to) < ORDER.indexOf(layer)
    ? `src/${layer} must not import src/${to}: imports point down`
    : undefined
}

function globalFault(layer, { name, member }) {
  if (member === 'process.dlopen' && !LAYERS[layer].native) return 'only src/sys loads native code'
  if (!LAYERS[layer].pure) return undefined
  const impure = IMPURE.has(name) ? name : IMPURE.has(member) ? member : undefined
  return impure && `src/${layer} is pure and must not use ${impure}`
}

/** Violations of one file, and the files it leads to. */
function check(file) {
  const layer = layerOf(file)
  if (!LAYERS[layer]) return { faults: [{ line: 1, text: `is in no layer (${ORDER.join(', ')})` }], edges: [] }
  const { imports, globals, errors } = readReferences(file, readFileSync(file, 'utf8'))
  const faults = [
    ...errors.map(({ line, message }) => ({ line, text: `cannot be read: ${message}` })),
    ...imports.map(({ line, specifier }) => ({ line, text: importFault(layer, file, specifier) })),
    ...globals.map((global) => ({ line: global.line, text: globalFault(layer, global) })),
  ].filter(({ text }) => text !== undefined)
  const edges = imports
    .filter(({ specifier }) => specifier?.startsWith('.'))
    .map(({ line, specifier }) => ({ line, to: resolve(dirname(file), specifier) }))
  return { faults, edges }
}

/** Each import that closes a circle, found by a depth-first walk. */
function findCycles(graph) {
  const found = []
  const path = []
  const done = new Set()
  function visit(file) {
    path.push(file)
    for (const { line, to } of graph.get(file) ?? []) {
      const start = path.indexOf(to)
      if (start >= 0) {
        const circle = [...path.slice(start), to].map((each) => relative(root, each)).join(' -> ')
        found.push({ file, line, text: `closes an import cycle: ${circle}` })
      } else if (!done.has(to)) visit(to)
    }
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) if (!done.has(file)) visit(file)
  return found
}

const files = readdirSync(source, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name) && !isTest(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort()

const checked = new Map(files.map((file) => [file, check(file)]))
const graph = new Map([...checked].map(([file, { edges }]) => [file, edges]))
const faults = [...checked].flatMap(([file, each]) => each.faults.map((fault) => ({ file, ...fault })))

for (const { file, line, text } of [...faults, ...findCycles(graph)]) {
  console.error(`${relative(root, file)}:${line}: ${text}`)
  process.exitCode = 1
}
if (files.length === 0) {
  console.error('layers: no source files found')
  process.exitCode = 1
}
