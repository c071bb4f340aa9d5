// What a source file reaches for: every module it names, in whatever way, and every global.

import { parseSync } from 'oxc-parser'

/** Visits every node of a syntax tree, parents first. */
function walk(node, visit) {
  if (Array.isArray(node)) {
    for (const child of node) walk(child, visit)
  } else if (node !== null && typeof node === 'object') {
    if (typeof node.type === 'string') visit(node)
    for (const child of Object.values(node)) walk(child, visit)
  }
}

/** A literal's text; undefined when the value is only known at run time. */
function literal(node) {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0) return node.quasis[0].value.cooked
  return undefined
}

function calleeName(callee) {
  if (callee.type === 'Identifier') return callee.name
  return callee.type === 'MemberExpression' && callee.property.type === 'Identifier' ? callee.property.name : undefined
}

/** The names under which this file has `createRequire`, and the functions that it made with it. */
function findRequires(program) {
  const makers = new Set(['createRequire'])
  const requires = new Set(['require'])
  walk(program, (node) => {
    if (node.type === 'ImportSpecifier' && node.imported.name === 'createRequire') makers.add(node.local.name)
  })
  const makes = (node) => node?.type === 'CallExpression' && makers.has(calleeName(node.callee))
  walk(program, (node) => {
    if (node.type === 'VariableDeclarator' && node.id.type === 'Identifier' && makes(node.init))
      requires.add(node.id.name)
  })
  return (callee) => {
    if (callee.type === 'Identifier') return requires.has(callee.name)
    if (calleeName(callee) === 'getBuiltinModule') return true
    const resolves = calleeName(callee) === 'resolve' && callee.object.type === 'Identifier'
    return makes(callee) || (resolves && requires.has(callee.object.name))
  }
}

/** The node that names the module, for each construct that can name one. */
function moduleNode(node, isRequire) {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return node.source ?? undefined
    case 'TSExternalModuleReference':
      return node.expression
    case 'CallExpression':
      return isRequire(node.callee) ? (node.arguments[0] ?? node) : undefined
  }
  return undefined
}

/** `Date.now` and `setTimeout(…)` name a global; a local variable of that name, or a field, does not. */
function globalName(node) {
  if (node.type === 'MemberExpression' && node.object.type === 'Identifier') {
    return { name: node.object.name, member: `${node.object.name}.${node.property.name}` }
  }
  const calls = node.type === 'CallExpression' || node.type === 'NewExpression'
  return calls && node.callee.type === 'Identifier' ? { name: node.callee.name, member: node.callee.name } : undefined
}

function declaredNames(program) {
  const names = new Set()
  const declare = (pattern) => walk(pattern, (node) => node.type === 'Identifier' && names.add(node.name))
  walk(program, (node) => {
    if (node.type === 'VariableDeclarator') declare(node.id)
    if (node.type === 'ImportDeclaration') for (const { local } of node.specifiers) names.add(local.name)
    if (node.params) for (const parameter of [node.params].flat()) declare(parameter)
  })
  return names
}

/**
 * @returns `imports` of `{line, specifier}` (specifier undefined when it is computed), `globals` of `{line, name, member}`,
 * `errors` of `{line, message}`
 */
export function readReferences(path, text) {
  const { program, errors } = parseSync(path, text, { sourceType: 'module' })
  const lineAt = (offset) => text.slice(0, offset).split('\n').length
  const isRequire = findRequires(program)
  const declared = declaredNames(program)
  const imports = []
  const globals = []
  walk(program, (node) => {
    const named = moduleNode(node, isRequire)
    if (named) imports.push({ line: lineAt(named.start), specifier: literal(named) })
    const global = globalName(node)
    if (global && !declared.has(global.name)) globals.push({ line: lineAt(node.start), ...global })
  })
  return {
    imports,
    globals,
    errors: errors.map(({ labels, message }) => ({ line: lineAt(labels[0]?.start ?? 0), message })),
  }
}
