import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { setInt } from './sockopt.ts'
import { check } from './system-error.ts'

/** Two ends that are connected to each other and to nothing else, and do not block. */
export function socketPair(type: 'SOCK_SEQPACKET' | 'SOCK_DGRAM'): [OwnedFd, OwnedFd] {
  const numbers = new Int32Array(2)
  check(addon.socketPair(constants.AF_UNIX, constants[type] | constants.SOCK_NONBLOCK, numbers), 'socketpair')
  for (const number of numbers) setInt(number, constants.SOL_SOCKET, constants.SO_PASSCRED, 1)
  return [new OwnedFd(numbers[0]!), new OwnedFd(numbers[1]!)]
}
