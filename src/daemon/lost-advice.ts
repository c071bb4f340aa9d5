// What gets a lost name back. Where another process has the address, its end; else what the error itself says.

import { AddressInUse, SystemError } from '../sys/index.ts'

/** `undefined`: it was not tried yet. */
export function adviceForLost(error: Error | undefined): string {
  if (error === undefined) return 'its old socket is still open somewhere: end the process that has it'
  return error instanceof AddressInUse ? `${error.message}; end that process` : error.message
}

/** A holder keeps a socket that is of no use, and this is why no other could take its place. */
export function adviceForBroken(error: unknown): string {
  const refused = error instanceof SystemError && !(error instanceof AddressInUse)
  return refused
    ? `${error.message}; another one in its place is tried each second`
    : 'end that holder to get the name back'
}
