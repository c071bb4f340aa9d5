// A program in a terminal, as a person sees it.

import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { atEnd } from './cleanup.ts'
import { until } from './daemon.ts'

const PROGRAM = resolve(import.meta.dirname, '../python/pty_screen.py')

export interface Sight {
  lines: string[]
  /** DEC private modes that were set or reset, by number. */
  modes: Record<string, boolean>
  /** Control sequences that no full-screen program of ours should write. */
  unknown: string[]
  /** Bytes written so far. */
  written: number
  /** The exit status; null while it runs. */
  ended: number | null
  /** The terminal's own modes are those that it had before. */
  restored: boolean
  /** It has children at the moment. */
  busy: boolean
}

export interface Window {
  type(keys: string): void
  resize(columns: number, rows: number): void
  signal(name: NodeJS.Signals): void
  /** Takes the window away from under the program, and waits until that has ended. */
  close(): void
  look(): Promise<Sight>
  /** Waits until the text of the window matches. */
  shows(pattern: RegExp): Promise<Sight>
  end(): Promise<Sight>
}

export interface WindowOptions {
  columns?: number
  rows?: number
  env?: NodeJS.ProcessEnv
}

export function openWindow(command: readonly string[], options: WindowOptions = {}): Window {
  const { columns = 80, rows = 24, env } = options
  const child = spawn('python3', [join(PROGRAM), String(columns), String(rows), ...command], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '', TERM: 'xterm', LC_ALL: 'C.UTF-8', ...env },
  })
  const closed = new Promise((resolve) => child.once('close', resolve))
  atEnd(async () => {
    child.stdin.end()
    await closed
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const tell = (...words: unknown[]) => void child.stdin.write(`${JSON.stringify(words)}\n`)
  const look = async (): Promise<Sight> => {
    tell('screen')
    const { value } = await answers.next()
    if (value === undefined) throw new Error(`the terminal ended: ${complaint}`)
    return JSON.parse(value)
  }
  const seen = async (wanted: (sight: Sight) => boolean, what: string) => {
    let sight: Sight | undefined
    await until(
      async () => {
        sight = await look()
        return wanted(sight)
      },
      what,
      10_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${sight?.lines.join('\n')}`)
    })
    return sight!
  }
  return {
    type: (keys) => tell('keys', keys),
    resize: (columns, rows) => tell('size', columns, rows),
    signal: (name) => tell('signal', name),
    close: () => tell('close'),
    look,
    shows: (pattern) => seen(({ lines }) => pattern.test(lines.join('\n')), String(pattern)),
    end: () => seen(({ ended }) => ended !== null, 'the end of the program'),
  }
}
