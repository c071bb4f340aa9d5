import { addon, constants as c } from './addon.ts'

/** Ends a listener for everybody who has it: the kernel resets what waits in its queue, and holders see EPOLLHUP. */
export function endListener(fd: number): void {
  addon.shutdown(fd, c.SHUT_RDWR)
}

/** Ends a connection for everybody who has it; the peer reads what was sent, and then the end. */
export function endSocket(fd: number): void {
  addon.shutdown(fd, c.SHUT_RDWR)
}

/** `readable`: something waits to be read. `over`: both ways are ended. */
export function readiness(fd: number): { readable: boolean; over: boolean } {
  const events = addon.poll(fd, c.POLLIN)
  return { readable: events > 0 && (events & c.POLLIN) !== 0, over: events > 0 && (events & c.POLLHUP) !== 0 }
}
