// What the tests of hostile peers share.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Asker } from './asker.ts'

/** `npm run hostile` runs each case as often as its promise says; the tests run it less often. */
export const FULL = process.env['FD_BROKER_TEST_FULL'] === '1'
export const times = (short: number, full: number): number => (FULL ? full : short)

/** One line of figures, in the full run only. */
export function report(what: string, figures: Record<string, number | string>): void {
  if (FULL) console.log(`${what}: ${JSON.stringify(figures)}`)
}

const SO_PASSRIGHTS = 83

/** A library that takes SO_PASSRIGHTS away, so that the broker believes that its kernel is older than 6.16, and peers can push descriptors. */
export function olderKernel(directory: string): NodeJS.ProcessEnv {
  const source = join(directory, 'older-kernel.c')
  const library = join(directory, 'older-kernel.so')
  writeFileSync(
    source,
    `#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
  int (*next)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
  if (level == SOL_SOCKET && name == ${SO_PASSRIGHTS}) {
    errno = ENOPROTOOPT;
    return -1;
  }
  return next(fd, level, name, value, length);
}
`,
  )
  execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source, '-ldl'])
  return { LD_PRELOAD: library }
}

/**
 * Python: `bomb()` is a TCP socket whose last close blocks for LINGER seconds, as it has unsent data and SO_LINGER; `push(to, data, fd)`
 * sends it along.
 */
export const bombs = (linger: number): string => `
keep = []
def bomb():
    listener = socket.create_server(('127.0.0.1', 0))
    one = socket.create_connection(listener.getsockname())
    keep.append(listener.accept()[0])
    keep.append(listener)
    one.setblocking(False)
    try:
        while True: one.send(b'x' * 65536)
    except BlockingIOError: pass
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, ${linger}))
    return one
def push(to, data, fd, *address):
    try:
        to.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd.fileno()]))], socket.MSG_NOSIGNAL, *address)
    except OSError:
        fd.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 0, 0))
        raise
    finally:
        fd.close()
`

/** The slowest of the answers that an honest peer had while `attack` went on, in milliseconds. */
export async function slowestAnswer(control: string, attack: () => Promise<unknown>, after = 0): Promise<number> {
  const honest = await Asker.connect(control)
  let over = false
  let slowest = 0
  const ask = async () => {
    while (!over) {
      const asked = performance.now()
      await honest.ask('stats')
      slowest = Math.max(slowest, performance.now() - asked)
      await sleep(2)
    }
  }
  const asking = ask()
  try {
    await attack()
    await sleep(after)
  } finally {
    over = true
    await asking
    honest.close()
  }
  return slowest
}
