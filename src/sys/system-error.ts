import { addon, constants } from './addon.ts'

const codes: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([code, errno]) => [errno, code]),
)

export function errorCode(errno: number): string {
  return codes.get(errno) ?? `E${errno}`
}

/** `EADDRINUSE (address already in use)` */
export function describeErrno(errno: number): string {
  const text = addon.strerror(errno)
  return `${errorCode(errno)} (${text.charAt(0).toLowerCase()}${text.slice(1)})`
}

/** A system call that failed; `errno` is positive. */
export class SystemError extends Error {
  readonly code: string
  readonly errno: number
  readonly syscall: string

  /** `message` replaces `SYSCALL: CODE (what it means)`. */
  constructor(errno: number, syscall: string, message = `${syscall}: ${describeErrno(errno)}`) {
    super(message)
    this.name = 'SystemError'
    this.code = errorCode(errno)
    this.errno = errno
    this.syscall = syscall
  }
}

/** Passes a result >= 0 on, and throws -errno. */
export function check(result: number, syscall: string): number {
  if (result < 0) throw new SystemError(-result, syscall)
  return result
}
