// What a program says to its notify socket, by the rules of sd_notify(3): one `KEY=VALUE` a line.

import { STATUS_MAX } from './limits.ts'

export type SdNotice =
  | { kind: 'READY' }
  | { kind: 'STOPPING' }
  | { kind: 'WATCHDOG' }
  | { kind: 'STATUS'; text: string }
  | { kind: 'MAINPID'; pid: number }

export interface SdNotices {
  /** At most one of a kind: the first that a datagram says. */
  notices: readonly SdNotice[]
  /** Lines that mean nothing here. */
  junk: number
}

/** pid_max of a 64-bit kernel (proc(5)). */
const PID_MAX = 4_194_304

const flag =
  (kind: 'READY' | 'STOPPING' | 'WATCHDOG') =>
  (value: string): SdNotice | undefined =>
    value === '1' ? { kind } : undefined

const KEYS: Readonly<Record<string, (value: string) => SdNotice | undefined>> = {
  READY: flag('READY'),
  STOPPING: flag('STOPPING'),
  WATCHDOG: flag('WATCHDOG'),
  STATUS: (value) => ({ kind: 'STATUS', text: statusText(value) }),
  MAINPID(value) {
    const pid = /^[1-9][0-9]{0,6}$/.test(value) ? Number(value) : 0
    return pid > 0 && pid <= PID_MAX ? { kind: 'MAINPID', pid } : undefined
  },
}

/** Words of sd_notify(3) that a supervisor may leave alone, and those of vendors. */
const OF_NO_EFFECT =
  /^(RELOADING|MONOTONIC_USEC|NOTIFYACCESS|ERRNO|BUSERROR|VARLINKERROR|EXIT_STATUS|MAINPIDFD(ID)?|WATCHDOG_USEC|EXTEND_TIMEOUT_USEC|FDSTORE(REMOVE)?|FDNAME|FDPOLL|BARRIER|X_[A-Z0-9_]+)=/

export function parseNotify(datagram: string): SdNotices {
  const notices = new Map<string, SdNotice>()
  let junk = 0
  for (const line of datagram.split('\n')) {
    const equals = line.indexOf('=')
    const key = line.slice(0, Math.max(equals, 0))
    const notice = Object.hasOwn(KEYS, key) ? KEYS[key]!(line.slice(equals + 1)) : undefined
    if (notice) {
      if (!notices.has(key)) notices.set(key, notice)
    } else if (line !== '' && !OF_NO_EFFECT.test(line)) junk++
  }
  return { notices: [...notices.values()], junk }
}

/** It reaches terminals and logs: no control or format characters, no line separators, and not more than STATUS_MAX bytes. */
function statusText(value: string): string {
  let text = ''
  let bytes = 0
  for (const character of value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')) {
    bytes += Buffer.byteLength(character)
    if (bytes > STATUS_MAX) break
    text += character
  }
  return text
}
