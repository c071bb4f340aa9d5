const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }

/** Bytes of `"4096"`, `"256K"`, `"1M"` or `"1G"` (powers of 1024); undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12})([KMG]?)$/.exec(text)
  return match === null ? undefined : Number(match[1]) * UNITS[match[2]!]!
}

/** The size in the largest unit that is exact. */
export function formatSize(bytes: number): string {
  for (const unit of ['G', 'M', 'K']) {
    if (bytes > 0 && bytes % UNITS[unit]! === 0) return `${bytes / UNITS[unit]!}${unit}`
  }
  return `${bytes}`
}
