// A section is {title, notes?: [text], tables: [{heading, columns: [text], rows: [[cell]]}]}; a cell is text, a number or null.

export function printSection({ title, notes = [], tables }) {
  console.log(`\n== ${title}`)
  for (const note of notes) console.log(`   ${note}`)
  for (const { heading, columns, rows } of tables) printTable(heading, [columns, ...rows])
}

function printTable(heading, lines) {
  const cells = lines.map((line) => line.map(cell))
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)))
  console.log(`\n${heading}`)
  for (const line of cells) {
    const padded = line.map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column])))
    console.log(`  ${padded.join('  ').trimEnd()}`)
  }
}

function cell(value) {
  if (typeof value !== 'number') return String(value ?? '-')
  if (Number.isInteger(value)) return String(value)
  return value.toFixed(value < 10 ? 2 : 1)
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

/** The value below which a share of them lies, by the nearest rank. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
}

/** Rounded to what a reader can use. */
export const round = (value, digits = 2) => Math.round(value * 10 ** digits) / 10 ** digits
