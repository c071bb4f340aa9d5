// node scripts/reference/main.mjs [FILE]: writes docs/sdk-reference.md, or FILE, by TypeDoc from the comments of src/client. A test
// compares what is committed with what this writes.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Application } from 'typedoc'
import { load as markdown } from 'typedoc-plugin-markdown'

const ROOT = resolve(import.meta.dirname, '../..')
const target = process.argv[2] ?? join(ROOT, 'docs/sdk-reference.md')
const HEAD = `# Reference of the SDK

Every export of \`fd-broker\`, written by TypeDoc from the sources (\`node scripts/reference/main.mjs\`). How to use them: [the SDK](sdk.md).
`
const table = Object.fromEntries(
  ['parameters', 'interfaceProperties', 'classProperties', 'typeAliasProperties', 'typeDeclaration'].map((of) => [
    `${of}Format`,
    'table',
  ]),
)

/** TypeDoc has no name for a parameter that is taken apart, and says a second time what a signature returns. */
const tidy = (text) => text.replaceAll('__namedParameters', 'options').replaceAll(/^#+ Returns\n\n.+\n\n/gm, '')

const directory = mkdtempSync(join(tmpdir(), 'fd-broker-reference-'))
try {
  const app = await Application.bootstrapWithPlugins({
    plugin: [markdown],
    outputs: [{ name: 'markdown', path: directory }],
    entryPoints: [join(ROOT, 'src/client/index.ts')],
    tsconfig: join(ROOT, 'tsconfig.json'),
    logLevel: 'Warn',
    treatWarningsAsErrors: true,
    intentionallyNotExported: ['ERRORS'],
    excludeExternals: true,
    excludeInternal: true,
    excludePrivate: true,
    excludeProtected: true,
    disableSources: true,
    readme: 'none',
    groupOrder: ['Variables', 'Functions', 'Classes', 'Interfaces', 'Type Aliases'],
    router: 'module',
    hidePageHeader: true,
    hidePageTitle: true,
    hideBreadcrumbs: true,
    ...table,
  })
  const project = await app.convert()
  if (project === undefined) throw new Error('TypeDoc could not read the sources')
  app.validate(project)
  await app.generateOutputs(project)
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error('TypeDoc complained: see above')
  writeFileSync(target, `${HEAD}\n${tidy(readFileSync(join(directory, 'README.md'), 'utf8'))}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
