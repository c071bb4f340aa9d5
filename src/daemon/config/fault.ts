import { printable } from '../../protocol/printable.ts'
import { formatKeyPath, type KeyPath } from './key-path.ts'

/** One complaint about a config file. `line` and `column` count from 1; they are absent when the fault is the file itself. */
export interface Fault {
  file: string
  line?: number
  column?: number
  key?: KeyPath
  /** Set on a complaint that does not make the file bad. */
  severity?: 'warning'
  /** What is wrong and what to do about it. */
  message: string
  /** Lines of the file around a syntax error, with a caret. */
  frame?: string
}

/** `broker.toml:12:1: sockets.web.backlg: unknown key; did you mean "backlog"?` Of the file itself: `broker.toml: the file is not UTF-8; …` */
export function formatFault(fault: Fault): string {
  const place = [fault.file, fault.line, fault.column].filter((part) => part !== undefined).join(':')
  const key = fault.key === undefined || fault.key.length === 0 ? '' : `${formatKeyPath(fault.key)}: `
  const severity = fault.severity === undefined ? '' : `${fault.severity}: `
  const whole = fault.line === undefined && key === '' ? 'the file ' : ''
  const head = printable(`${place}: ${severity}${key}${whole}${fault.message}`)
  if (fault.frame === undefined) return head
  return [head, ...fault.frame.trimEnd().split('\n').map(printable)].join('\n')
}

/** All faults, in the order of the file. */
export function formatFaults(faults: readonly Fault[]): string {
  const order = (fault: Fault) => fault.line ?? 0
  const column = (fault: Fault) => fault.column ?? 0
  return [...faults]
    .sort((a, b) => order(a) - order(b) || column(a) - column(b))
    .map(formatFault)
    .join('\n')
}
