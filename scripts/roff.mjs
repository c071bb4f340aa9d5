// Text and the Markdown of docs/ as man(7), in plain ASCII, so that any terminal shows it.

const ASCII = {
  '’': "'",
  '‘': "'",
  '“': '"',
  '”': '"',
  '…': '...',
  '→': '->',
  '×': 'x',
  '·': '-',
  '–': '-',
  '≥': '>=',
  '≤': '<=',
  µ: 'u',
}

/** Characters as themselves, wherever on the line they stand. */
export function escapeRoff(text) {
  const plain = text.replace(
    /[^\x20-\x7e]/gu,
    (character) =>
      ASCII[character] ?? `\u0000${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}\u0001`,
  )
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('"', '\\(dq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll('\u0000', '\\[u')
    .replaceAll('\u0001', ']')
    .replace(/^\./, '\\&.')
}

/** `code`, **bold**, *emphasis* and [links](…) of a line; an escaped pipe is one of a table. */
export function inline(text) {
  const parts = text.replaceAll('\\|', '|').split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\([^)]+\))/)
  const marked = parts.map((part) => {
    if (/^`.+`$/.test(part)) return `\\fB${escapeRoff(part.slice(1, -1))}\\fR`
    if (/^\*\*.+\*\*$/.test(part)) return `\\fB${escapeRoff(part.slice(2, -2))}\\fR`
    if (/^\*.+\*$/.test(part)) return `\\fI${escapeRoff(part.slice(1, -1))}\\fR`
    const link = /^\[([^\]]+)\]\([^)]+\)$/.exec(part)
    return link ? inline(link[1]) : escapeRoff(part)
  })
  return marked.join('').replace(/^\./, '\\&.')
}

export const example = (lines) => [
  '.PP',
  '.RS 4',
  '.nf',
  ...lines.map((line) => escapeRoff(line) || '\\&'),
  '.fi',
  '.RE',
]

const cells = (row) =>
  row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim())

/** A row of a table is a term and what is said of it; further columns are told by their headings. */
function table(rows) {
  const [headings, , ...body] = rows.map(cells)
  const meaning = headings.indexOf('meaning')
  return body.flatMap((row) => {
    const said = meaning > 0 ? meaning : row.length - 1
    const others = row.flatMap((cell, at) =>
      at === 0 || at === said || cell === ''
        ? []
        : [`${escapeRoff(headings[at] || '')}${headings[at] ? ': ' : ''}${inline(cell)}`],
    )
    return [
      '.TP',
      inline(row[0]) || '\\&',
      inline(row[said]) || '\\&',
      ...(others.length > 0 ? ['.br', others.join('; ')] : []),
    ]
  })
}

const KINDS = [
  ['skip', /^<!--.*-->$/],
  ['heading', /^#{1,4} /],
  ['fence', /^```/],
  ['table', /^\|/],
  ['item', /^- /],
  ['indented', /^ {4}/],
]

/** Blocks of a document: its kind, and its lines. */
function blocksOf(markdown) {
  const blocks = []
  const lines = markdown.split('\n')
  for (let at = 0; at < lines.length; ) {
    const line = lines[at]
    if (line.trim() === '') {
      at++
      continue
    }
    const kind = KINDS.find(([, pattern]) => pattern.test(line))?.[0] ?? 'text'
    let end = at + 1
    if (kind === 'fence') {
      while (end < lines.length && !lines[end].startsWith('```')) end++
      blocks.push({ kind: 'indented', lines: lines.slice(at + 1, end) })
      at = end + 1
      continue
    }
    const same = (next) =>
      kind === 'table' || kind === 'indented'
        ? KINDS.find(([name]) => name === kind)[1].test(next)
        : next.trim() !== '' &&
          !KINDS.some(([, pattern]) => pattern.test(next) && !(kind === 'item' && /^ {4}/.test(next)))
    while (kind !== 'heading' && kind !== 'skip' && end < lines.length && same(lines[end])) end++
    blocks.push({ kind, lines: lines.slice(at, end) })
    at = end
  }
  return blocks
}

const WRITE = {
  skip: () => [],
  heading: ([line]) => {
    const [, marks, text] = /^(#+) (.*)$/.exec(line)
    return marks.length === 1
      ? []
      : [`.${marks.length === 2 ? 'SH' : 'SS'} "${inline(marks.length === 2 ? text.toUpperCase() : text)}"`]
  },
  table,
  item: (lines) => ['.IP \\(bu 2', ...lines.map((line) => inline(line.replace(/^(- | +)/, '')))],
  indented: (lines) => example(lines.map((line) => line.replace(/^ {4}/, ''))),
  text: (lines) => ['.PP', ...lines.map(inline)],
}

export function manFromMarkdown(markdown) {
  const lines = blocksOf(markdown).flatMap(({ kind, lines }) => WRITE[kind](lines))
  // A paragraph right after a heading has no mark of its own (mandoc: skipping paragraph macro).
  return lines.filter((line, at) => !(line === '.PP' && /^\.S[HS] /.test(lines[at - 1] ?? '')))
}
