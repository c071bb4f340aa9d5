const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of `"300ms"`, `"30s"`, `"5m"` or `"1h"`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12})(ms|s|m|h)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]!]!
}

/** The duration in the largest unit that is exact. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  for (const unit of ['h', 'm', 's']) if (ms % UNITS[unit]! === 0) return `${ms / UNITS[unit]!}${unit}`
  return `${ms}ms`
}
