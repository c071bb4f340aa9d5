import type { Fault } from './fault.ts'
import type { KeyLines } from './key-lines.ts'
import type { KeyPath } from './key-path.ts'

/** Collects what is wrong with one file, so that all of it is told at once. */
export class Report {
  readonly faults: Fault[] = []
  readonly warnings: Fault[] = []
  readonly #file: string
  readonly #lines: KeyLines

  constructor(file: string, lines: KeyLines) {
    this.#file = file
    this.#lines = lines
  }

  fault(key: KeyPath, message: string): void {
    this.faults.push(this.#place(key, message))
  }

  warn(key: KeyPath, message: string): void {
    this.warnings.push({ ...this.#place(key, message), severity: 'warning' })
  }

  /** ` (line 4)`, to point from one complaint at a second place. */
  lineOf(key: KeyPath): string {
    const position = this.#lines.nearest(key)
    return position === undefined ? '' : ` (line ${position.line})`
  }

  #place(key: KeyPath, message: string): Fault {
    return { file: this.#file, ...this.#lines.nearest(key), key, message }
  }
}
