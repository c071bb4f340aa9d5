// The words of what goes wrong between this process and its broker.

import { BrokerError, type ErrorCode, isErrorCode } from '../protocol/errors.ts'
import { SystemError } from '../sys/index.ts'
import type { Answer } from './answers.ts'

const REMEDY = 'start it (`fd-broker serve`), or name its control socket by --socket or FD_BROKER_SOCKET'

/** Worth another attempt: the broker is not there yet, or cannot take one more connection now. */
export function isAway(error: unknown): boolean {
  return error instanceof SystemError && ['ENOENT', 'ECONNREFUSED', 'EAGAIN'].includes(error.code)
}

export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): boolean {
  return error instanceof BrokerError && codes.includes(error.code)
}

const AWAY: Record<string, string> = {
  ENOENT: 'no broker has its control socket at',
  ECONNREFUSED: 'no broker listens at',
  EAGAIN: 'the broker takes no more connections at',
}

/** CLOSED: it could not be reached for `timeout` ms. */
export function awayTooLong(path: string, cause: unknown, timeout: number): BrokerError {
  const code = cause instanceof SystemError ? cause.code : 'ECONNRESET'
  const what = AWAY[code] ?? 'the broker closes every connection at'
  return new BrokerError('CLOSED', `${what} ${path} (${code}, tried for ${timeout} ms): ${REMEDY}`, { cause })
}

/** What connect(2) said that no patience helps against. */
export function cannotConnect(path: string, cause: unknown): Error {
  if (!(cause instanceof SystemError)) return cause as Error
  if (cause.code === 'EACCES') {
    const advice = 'its control_mode and the directories above it decide who may connect'
    return new BrokerError('CLOSED', `this user may not connect to the broker at ${path} (EACCES): ${advice}`, {
      cause,
    })
  }
  if (cause.code === 'EPROTOTYPE') {
    return new BrokerError('CLOSED', `${path} is not a broker's control socket (EPROTOTYPE): ${REMEDY}`, { cause })
  }
  return systemFailure(`cannot connect to the broker at ${path}`, cause)
}

export function connectionLost(path: string, cause: Error | undefined): BrokerError {
  const options = cause ? { cause } : {}
  return new BrokerError(
    'CLOSED',
    `the broker at ${path} closed the connection; check that it runs, and its log`,
    options,
  )
}

export function brokerReplaced(path: string): BrokerError {
  return new BrokerError('CLOSED', `the broker at ${path} is replaced by another: ask again`)
}

export function noAnswer(path: string, op: string, timeout: number): BrokerError {
  const advice = 'it is stopped (`ps` shows the state T), or it or its host is overloaded; its log may say more'
  return new BrokerError(
    'CLOSED',
    `the broker at ${path} did not answer ${op} within ${Math.round(timeout)} ms: ${advice}`,
  )
}

/** ENDED; `how` as its `ended` event has it, or `released`. */
export function leaseOver(name: string, how: string): BrokerError {
  return new BrokerError('ENDED', `the lease on ${name} is over (${how}): acquire it again`)
}

/** SYSTEM, with what an errno means for the reader where that is known. */
export function systemFailure(what: string, cause: unknown): BrokerError {
  const { code, message } = cause as NodeJS.ErrnoException
  const why = code === 'EMFILE' ? TABLE_FULL : message
  return new BrokerError('SYSTEM', `${what}: ${why}`, { cause })
}

export const TABLE_FULL =
  'EMFILE, this process has no free descriptor; raise its RLIMIT_NOFILE (`ulimit -n`, LimitNOFILE=) or close some'

/** The BrokerError of an answer whose `ok` is not true. */
export function refusal({ message }: Answer): BrokerError | undefined {
  const { id: _id, ok, code, message: text, ...details } = message
  if (ok === true) return undefined
  if (!isErrorCode(code)) {
    return new BrokerError('PROTOCOL', `the broker answered with the unknown code ${JSON.stringify(code)}: ${text}`)
  }
  return new BrokerError(code, String(text), { details })
}
