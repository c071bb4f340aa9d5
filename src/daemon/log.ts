// Logs: pino, one event a line on standard error. Three readers, one content: JSON for a pipe or file, the same JSON with
// journald's priority prefix under systemd (sd-daemon(3), "<6>"), and a short form for eyes on a terminal.

import { fstatSync } from 'node:fs'
import { type Logger, pino } from 'pino'
import { escapeJson, printable } from '../protocol/printable.ts'
import { LineWriter } from './line-writer.ts'

export type Log = Logger

export interface LogOutput {
  log: Log
  /** Writes what is buffered; called before the process ends. */
  flush(): void
}

export type LogFormat = 'json' | 'journald' | 'terminal'

/** pino level → syslog priority (syslog(3)). */
const PRIORITY: Record<number, number> = { 60: 2, 50: 3, 40: 4, 30: 6, 20: 7, 10: 7 }

/** systemd names the device and inode of the stream that it reads (systemd.exec(5), JOURNAL_STREAM). */
export function chooseFormat(fd: number, env: NodeJS.ProcessEnv, isTerminal: boolean): LogFormat {
  if (isTerminal) return 'terminal'
  if (env['JOURNAL_STREAM'] === undefined) return 'json'
  const { dev, ino } = fstatSync(fd)
  return env['JOURNAL_STREAM'] === `${dev}:${ino}` ? 'journald' : 'json'
}

export function openLog(format: LogFormat, level: string, fd = 2): LogOutput {
  const lost = (lines: number) =>
    render(`{"level":40,"time":"${new Date().toISOString()}","lines":${lines},"msg":"${LOST}"}\n`, 40)
  const render = RENDERERS[format]
  const writer = new LineWriter(fd, lost)
  const flush = () => writer.finish()
  const stream = {
    // pino sets lastLevel on a stream that asks for its metadata.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 30,
    write: (line: string) => writer.write(render(line, stream.lastLevel)),
  }
  // Also after an error that nobody caught.
  process.once('exit', flush)
  return { log: pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream), flush }
}

const LOST = 'log lines lost: they could not be written in time'

const RENDERERS: Record<LogFormat, (line: string, level: number) => string> = {
  json: escapeJson,
  journald: (line, level) => `<${PRIORITY[level] ?? 6}>${escapeJson(line)}`,
  terminal: formatForTerminal,
}

/** `22:30:01.250 info  granted name=web lease=3` */
export function formatForTerminal(line: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>
  const label = (pino.levels.labels[level as number] ?? 'info').padEnd(5)
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${bare(value)}`)
  const error = err === undefined ? '' : ` error=${bare((err as { message?: unknown }).message)}`
  return printable(`${String(time).slice(11, 23)} ${label} ${String(msg)}${pairs.join('')}${error}`).concat('\n')
}

function bare(value: unknown): string {
  return typeof value === 'string' && /^[\w.:@/[\]-]+$/.test(value) ? value : (JSON.stringify(value) ?? 'undefined')
}
