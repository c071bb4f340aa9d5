// One aligned table for people, or one JSON object for programs. A broken must-hold is a fault, and the exit status 1.

/** `rows`: arrays as long as `headings`; `figures`: the same for programs; `faults`: sentences. */
export function report({ json, title, headings, rows, figures, faults }) {
  if (json) console.log(JSON.stringify({ title, ...figures, faults }))
  else printTable(title, [headings, ...rows])
  for (const fault of faults) console.error(`FAULT ${fault}`)
  return faults.length > 0 ? 1 : 0
}

function printTable(title, lines) {
  const cells = lines.map((line) => line.map(cell))
  const widths = cells[0].map((_, column) => Math.max(...cells.map((line) => line[column].length)))
  console.log(title)
  for (const line of cells) {
    const padded = line.map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column])))
    console.log(`  ${padded.join('  ').trimEnd()}`)
  }
}

function cell(value) {
  if (typeof value !== 'number') return String(value ?? '-')
  return Number.isInteger(value) ? String(value) : value.toFixed(value < 10 ? 2 : 1)
}

/** The value below which a share of them lies, by the nearest rank. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
}

export function spread(values) {
  const at = (share) => (values.length === 0 ? null : Math.round(quantile(values, share) * 1000) / 1000)
  return { count: values.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), worst: at(1) }
}
