import { addon, constants as c } from './addon.ts'

/** Ends a listener for everybody who has it: the kernel resets what waits in its queue, and holders see EPOLLHUP. */
export function endListener(fd: number): void {
  addon.shutdown(fd, c.SHUT_RDWR)
}
