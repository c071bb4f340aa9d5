import { InvalidArgumentError } from 'commander'
import { MILLISECONDS_MAX } from '../protocol/limits.ts'

/** `--socket "$UNSET"` must not mean another broker than FD_BROKER_SOCKET names. */
export function parsePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('give the path of the control socket, or leave the option out.')
  return text
}

/** Seconds on the command line, fractions allowed, as milliseconds. */
export function parseSeconds(text: string): number {
  const ms = Math.round(Number(text) * 1000)
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text) || ms > MILLISECONDS_MAX) {
    throw new InvalidArgumentError(`give seconds, such as 30 or 0.5, at most ${Math.floor(MILLISECONDS_MAX / 1000)}.`)
  }
  return ms
}
