// The terminal: the alternate screen, raw keys, and only those lines written that changed.

import type { Size } from './state.ts'

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[2J'
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l'

/** What a window is to `top`; the process's own is made by env.ts. */
export interface Terminal {
  size(): Size
  write(text: string): void
  raw(wanted: boolean): void
  /** Each returns how to stop. */
  onKeys(listener: (text: string) => void): () => void
  onResize(listener: () => void): () => void
  /** Continued after a stop: whatever was on the screen is not. */
  onContinue(listener: () => void): () => void
  /** The window was closed, or the line to it is lost. */
  onGone(listener: () => void): () => void
  /** However the process ends. */
  onExit(listener: () => void): () => void
  suspend(): void
}

export class Screen {
  readonly #terminal: Terminal
  readonly #offExit: () => void
  #shown: readonly string[] = []
  #entered = false

  constructor(terminal: Terminal) {
    this.#terminal = terminal
    this.#offExit = terminal.onExit(() => this.leave())
    this.enter()
  }

  enter(): void {
    if (this.#entered) return
    this.#entered = true
    this.#shown = []
    this.#terminal.raw(true)
    this.#terminal.write(ENTER)
  }

  /** The terminal as it was before. */
  leave(): void {
    if (!this.#entered) return
    this.#entered = false
    this.#terminal.write(LEAVE)
    this.#terminal.raw(false)
  }

  close(): void {
    this.leave()
    this.#offExit()
  }

  forget(): void {
    this.#shown = []
  }

  draw(lines: readonly string[]): void {
    if (!this.#entered) return
    const whole = this.#shown.length !== lines.length
    const changed = lines.map((line, at) => (whole || this.#shown[at] !== line ? `\u001b[${at + 1};1H${line}` : ''))
    const text = `${whole ? '\u001b[2J' : ''}${changed.join('')}`
    if (text !== '') this.#terminal.write(text)
    this.#shown = lines
  }
}
