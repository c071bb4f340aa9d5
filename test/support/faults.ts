// A library in the broker that makes one system call fail as often as not, where the addon or node:fs makes it: not where libuv does for
// itself, which ends the process. Which call, and how, is in a file that both have open.

import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { constants, type ErrnoName } from '../../src/sys/addon.ts'
import { atEnd } from './cleanup.ts'
import { before } from './hostile.ts'

/** Those that a broker comes to while it serves. But write(): to eventfds, where it cannot fail (fs/eventfd.c), and a pipe that may be full. */
const OF_THE_ADDON = [
  ...(['accept4', 'recvmsg', 'sendmsg', 'socket', 'bind', 'listen', 'shutdown', 'getsockopt', 'setsockopt'] as const),
  ...(['getsockname', 'getpeername', 'ioctl', 'fcntl64', 'fstat64', 'fchmod', 'fchown', 'poll', 'recv'] as const),
  ...(['send', 'read', 'syscall', 'eventfd', 'epoll_create1', 'epoll_ctl', 'epoll_wait'] as const),
  ...(['pthread_create', 'open64', 'openat64', 'readlinkat'] as const),
] as const

export const CALLS = [...OF_THE_ADDON, ...(['pwrite64', 'readlink', 'mkdir', 'rename', 'unlink'] as const)] as const
export type Call = (typeof CALLS)[number]

/** Those of node:fs, which is in the program itself. Its others libuv makes for itself too. */
const FILES: ReadonlySet<string> = new Set(['open64', 'pwrite64', 'readlink', 'mkdir', 'rename', 'unlink'])

const SITES_MOST = 512
const WORDS = 4

const number = (call: Call) => CALLS.indexOf(call) + 1

const wrap = (type: string, call: Call, parameters: string, names: string, failure = '-1') => `
${type} ${call}(${parameters})
{
  if (fails(${number(call)}, __builtin_return_address(0), ${FILES.has(call)})) return ${failure};
  return NEXT(${call})(${names});
}`

const LIBRARY = `
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
static struct { volatile int call, error, injected, sites; void *volatile at[${SITES_MOST}]; } *plan;
static __thread bool inside;
static bool counts(void *site)
{
  Dl_info info;
  return dladdr(site, &info) && info.dli_fname && strstr(info.dli_fname, "fd_broker.node");
}
static void note(void *site)
{
  for (int i = 0; i < plan->sites; i++)
    if (plan->at[i] == site) return;
  if (plan->sites < ${SITES_MOST}) plan->at[plan->sites++] = site;
}
__attribute__((constructor)) static void begin(void)
{
  int file = (int)syscall(SYS_openat, AT_FDCWD, getenv("FAULTS"), O_RDWR | O_CLOEXEC);
  plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (plan == MAP_FAILED) abort();
  close(file);
}
static bool fails(int call, void *site, bool file)
{
  /* Of all threads: what one of the pool is asked for is seldom enough for a sequence of its own. */
  static uint32_t random = 1;
  if (!plan || plan->call != call || inside) return false;
  inside = true;
  bool due = (counts(site) || file) && (random = random * 1103515245 + 12345) >> 16 & 1;
  if (due) {
    note(site);
    plan->injected++;
    errno = plan->error;
  }
  inside = false;
  return due;
}
${wrap('int', 'accept4', 'int a, struct sockaddr *b, socklen_t *c, int d', 'a, b, c, d')}
${wrap('ssize_t', 'recvmsg', 'int a, struct msghdr *b, int c', 'a, b, c')}
${wrap('ssize_t', 'sendmsg', 'int a, const struct msghdr *b, int c', 'a, b, c')}
${wrap('int', 'socket', 'int a, int b, int c', 'a, b, c')}
${wrap('int', 'bind', 'int a, const struct sockaddr *b, socklen_t c', 'a, b, c')}
${wrap('int', 'listen', 'int a, int b', 'a, b')}
${wrap('int', 'shutdown', 'int a, int b', 'a, b')}
${wrap('int', 'getsockopt', 'int a, int b, int c, void *d, socklen_t *e', 'a, b, c, d, e')}
${wrap('int', 'setsockopt', 'int a, int b, int c, const void *d, socklen_t e', 'a, b, c, d, e')}
${wrap('int', 'getsockname', 'int a, struct sockaddr *b, socklen_t *c', 'a, b, c')}
${wrap('int', 'getpeername', 'int a, struct sockaddr *b, socklen_t *c', 'a, b, c')}
${wrap('int', 'fstat64', 'int a, struct stat64 *b', 'a, b')}
${wrap('int', 'fchmod', 'int a, mode_t b', 'a, b')}
${wrap('int', 'fchown', 'int a, uid_t b, gid_t c', 'a, b, c')}
${wrap('int', 'poll', 'struct pollfd *a, nfds_t b, int c', 'a, b, c')}
${wrap('ssize_t', 'recv', 'int a, void *b, size_t c, int d', 'a, b, c, d')}
${wrap('ssize_t', 'send', 'int a, const void *b, size_t c, int d', 'a, b, c, d')}
${wrap('ssize_t', 'read', 'int a, void *b, size_t c', 'a, b, c')}
${wrap('int', 'epoll_ctl', 'int a, int b, int c, struct epoll_event *d', 'a, b, c, d')}
${wrap('int', 'pthread_create', 'pthread_t *a, const pthread_attr_t *b, void *(*c)(void *), void *d', 'a, b, c, d', 'plan->error')}
${wrap('int', 'eventfd', 'unsigned a, int b', 'a, b')}
${wrap('int', 'epoll_create1', 'int a', 'a')}
${wrap('int', 'epoll_wait', 'int a, struct epoll_event *b, int c, int d', 'a, b, c, d')}
${wrap('ssize_t', 'readlinkat', 'int a, const char *b, char *c, size_t d', 'a, b, c, d')}
${wrap('ssize_t', 'pwrite64', 'int a, const void *b, size_t c, off64_t d', 'a, b, c, d')}
${wrap('ssize_t', 'readlink', 'const char *a, char *b, size_t c', 'a, b, c')}
${wrap('int', 'mkdir', 'const char *a, mode_t b', 'a, b')}
${wrap('int', 'rename', 'const char *a, const char *b', 'a, b')}
${wrap('int', 'unlink', 'const char *a', 'a')}
#define LAST(type) va_list list; va_start(list, b); type last = va_arg(list, type); va_end(list)
${wrap('int', 'ioctl', 'int a, unsigned long b, ...', 'a, b, last').replace('{\n', '{\n  LAST(void *);\n')}
${wrap('int', 'fcntl64', 'int a, int b, ...', 'a, b, last').replace('{\n', '{\n  LAST(void *);\n')}
${wrap('int', 'open64', 'const char *a, int b, ...', 'a, b, last').replace('{\n', '{\n  LAST(int);\n')}
int openat64(int x, const char *a, int b, ...)
{
  LAST(int);
  if (fails(${number('openat64')}, __builtin_return_address(0), false)) return -1;
  return NEXT(openat64)(x, a, b, last);
}
long syscall(long b, ...)
{
  long n[6];
  va_list list;
  va_start(list, b);
  for (int i = 0; i < 6; i++) n[i] = va_arg(list, long);
  va_end(list);
  if (fails(${number('syscall')}, __builtin_return_address(0), false)) return -1;
  return NEXT(syscall)(b, n[0], n[1], n[2], n[3], n[4], n[5]);
}
`

export interface Faults {
  readonly env: NodeJS.ProcessEnv
  /** From now on, until stop(): half of such calls. */
  start(call: Call, error: ErrnoName): void
  /** How many failed, and at which places of the addon's and the program's code. */
  stop(): { injected: number; sites: number[] }
}

export function prepareFaults(directory: string): Faults {
  const path = join(directory, 'faults')
  const bytes = WORDS * 4 + SITES_MOST * 8
  writeFileSync(path, Buffer.alloc(bytes))
  const file = openSync(path, 'r+')
  atEnd(() => closeSync(file))
  const write = (...words: number[]) =>
    writeSync(file, Buffer.from(Int32Array.from(words).buffer), 0, words.length * 4, 0)
  return {
    env: { ...before(directory, 'faults', LIBRARY), FAULTS: path },
    start: (call, error) => void write(number(call), constants.errno[error], 0, 0),
    stop() {
      write(0)
      const plan = Buffer.alloc(bytes)
      readSync(file, plan, 0, plan.length, 0)
      const sites = Array.from({ length: plan.readInt32LE(12) }, (_, at) =>
        Number(plan.readBigUInt64LE(WORDS * 4 + at * 8)),
      )
      return { injected: plan.readInt32LE(8), sites }
    },
  }
}
