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

/** An environment in which C functions stand before the C library's, which they reach by NEXT(name). */
export function before(directory: string, name: string, functions: string): NodeJS.ProcessEnv {
  const source = join(directory, `${name}.c`)
  const library = join(directory, `${name}.so`)
  const includes = [
    'dlfcn',
    'errno',
    'linux/capability',
    'stdio',
    'stdlib',
    'string',
    'sys/socket',
    'sys/stat',
    'sys/syscall',
    'sys/un',
    'unistd',
  ]
  const lines = [
    '#define _GNU_SOURCE',
    ...includes.map((header) => `#include <${header}.h>`),
    '#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))',
    functions,
  ]
  writeFileSync(source, lines.join('\n'))
  execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source, '-ldl'])
  return { LD_PRELOAD: library }
}

/** `refuse`: C that may return another answer than the kernel's. */
const otherKernel = (directory: string, name: string, refuse: string): NodeJS.ProcessEnv =>
  before(
    directory,
    name,
    `int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
  ${refuse}
  return NEXT(setsockopt)(fd, level, name, value, length);
}
`,
  )

/** Without SO_PASSRIGHTS, as before 6.16: peers can push descriptors. */
export const olderKernel = (directory: string): NodeJS.ProcessEnv =>
  otherKernel(directory, 'older-kernel', 'if (level == SOL_SOCKET && name == 83) return errno = ENOPROTOOPT, -1;')

/**
 * Where whoever has no capabilities may attach a filter to a TCP socket: a kernel that refuses is overruled, for who has none. A holder in
 * such a test needs CAP_NET_ADMIN, since the kernel below is as it is.
 */
export const openKernel = (directory: string): NodeJS.ProcessEnv =>
  otherKernel(
    directory,
    'open-kernel',
    `if (level == SOL_SOCKET && name == SO_ATTACH_FILTER) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) == 0 && data[0].effective == 0)
      return 0;
  }`,
  )

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
