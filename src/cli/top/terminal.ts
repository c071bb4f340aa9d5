// This process's own terminal.

import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { idleDescriptor } from '../../sys/index.ts'
import type { Terminal } from './screen.ts'

const STDOUT = 1
const STANDARD = [0, 1, 2]
/** Until the first answer of the window system, and for terminals that do not say. */
const USUAL = { columns: 80, rows: 24 }

/** Undefined unless both ends are a terminal: a window without keys could not be left. */
export function processTerminal(): Terminal | undefined {
  const { stdin, stdout } = process
  if (!stdin.isTTY || !stdout.isTTY) return undefined
  const terminals = STANDARD.filter(isatty)
  const on = (emitter: NodeJS.EventEmitter, event: string, listener: (text: string) => void) => {
    emitter.on(event, listener)
    return () => void emitter.off(event, listener)
  }
  return {
    // Some terminals say 0 × 0.
    size: () => ({ columns: stdout.columns || USUAL.columns, rows: stdout.rows || USUAL.rows }),
    write: (text) => {
      try {
        writeSync(STDOUT, text)
      } catch (error) {
        // The window is gone, or another program made the terminal non-blocking: the stream waits, and reports what it cannot mend.
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') stdout.write(text)
      }
    },
    raw: (wanted) => {
      stdin.setRawMode(wanted)
      if (wanted) return void stdin.resume()
      stdin.pause()
      leaveGone(terminals)
    },
    onKeys: (listener) => {
      stdin.setEncoding('utf8')
      return on(stdin, 'data', listener)
    },
    onResize: (listener) => on(stdout, 'resize', listener),
    onContinue: (listener) => on(process, 'SIGCONT', listener),
    onGone: (listener) => {
      const offs = [on(stdin, 'end', listener), on(stdin, 'error', listener), on(process, 'SIGHUP', listener)]
      return () => {
        for (const off of offs) off()
      }
    },
    onExit: (listener) => on(process, 'exit', listener),
    suspend: () => void process.kill(process.pid, 'SIGTSTP'),
  }
}

/**
 * Node sets standard descriptors that were terminals at its start back when it ends, and aborts where that fails (ResetStdio in node.cc,
 * Node 20 to 26); it leaves alone what has become another file. A terminal whose window is gone is none any more: EIO.
 */
function leaveGone(terminals: readonly number[]): void {
  for (const fd of terminals) if (!isatty(fd)) idleDescriptor(fd)
}
