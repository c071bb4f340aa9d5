import { BrokerError } from '../protocol/errors.ts'

/** Throws INVALID for what is given and is no time. Infinity is one: no limit. */
export function requireMilliseconds(option: string, value: unknown): void {
  if (value === undefined || (typeof value === 'number' && value >= 0)) return
  const given = typeof value === 'number' ? value : `of type ${typeof value}`
  throw new BrokerError('INVALID', `${option} must be milliseconds from 0 on, or Infinity for no limit, not ${given}`)
}
