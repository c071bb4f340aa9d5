/** `problem`: something does not work. `warning`: it works, but less well than asked for. `note`: as it may well be meant. */
export type Level = 'ok' | 'note' | 'warning' | 'problem'

export interface Finding {
  check: string
  level: Level
  finding: string
  /** What to do. */
  remedy?: string
}

export const finding = (check: string, level: Level, text: string, remedy?: string): Finding => ({
  check,
  level,
  finding: text,
  ...(remedy !== undefined && { remedy }),
})
