import { constants } from './addon.ts'
import type { SocketOwner } from './socket-owner.ts'
import { SystemError } from './system-error.ts'

/** EADDRINUSE, and who has the address, as far as we may look into other processes. */
export class AddressInUse extends SystemError {
  readonly owner: SocketOwner | undefined

  constructor(owner: SocketOwner | undefined, syscall: string, message: string) {
    super(constants.errno.EADDRINUSE, syscall, message)
    this.name = 'AddressInUse'
    this.owner = owner
  }
}
