import { BrokerError } from '../protocol/errors.ts'

/**
 * The same refusal for one of those who wait for it, with the stack of whoever awaits it; `inside` and what it calls are left out.
 * An answer is an event, so the error that it makes knows no caller; and several requests may share one error. In the catch of an async
 * function V8 knows who awaits that function, so nothing has to be captured while all goes well.
 */
export function located(error: unknown, inside: (...args: never[]) => unknown): unknown {
  if (!(error instanceof BrokerError)) return error
  const { code, message, details, cause } = error
  const copy = new BrokerError(code, message, { details, ...(cause !== undefined && { cause }) })
  Error.captureStackTrace(copy, inside)
  // Nobody awaits it: then where it was made is all that there is to know.
  if (!/^ {4}at /m.test(copy.stack ?? ''))
    Object.defineProperty(copy, 'stack', { value: error.stack, configurable: true, writable: true })
  return copy
}
