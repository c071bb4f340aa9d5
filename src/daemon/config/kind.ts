import * as v from 'valibot'

/** A sort of value: how the docs call it, what it may be, and how it is read. */
export interface Kind<T> {
  type: string
  /** The range and its reason, for the docs; empty where the type says all. */
  range: string
  schema: v.GenericSchema<unknown, T>
}

/** What a reader of values answers instead of a value: what is wrong and how to write it. */
export class Wrong {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

/** A schema from a function that reads the value or says what is wrong with it. */
export function reader<T>(read: (value: unknown) => T | Wrong): v.GenericSchema<unknown, T> {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      const result = read(dataset.value)
      if (!(result instanceof Wrong)) return result
      addIssue({ message: result.message })
      return NEVER
    }),
  )
}

/** A value as a complaint quotes it: one line, not long. */
export function quote(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return value instanceof Date ? 'a date' : 'a table'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
