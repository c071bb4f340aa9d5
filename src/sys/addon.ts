import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

type ConstantName =
  | `AF_${'UNSPEC' | 'UNIX' | 'INET' | 'INET6' | 'VSOCK'}`
  | `SOCK_${'STREAM' | 'DGRAM' | 'SEQPACKET' | 'NONBLOCK'}`
  | `SHUT_${'RD' | 'WR' | 'RDWR'}`
  | 'SOL_SOCKET'
  | `IPPROTO_${'IP' | 'IPV6' | 'TCP'}`
  | `SO_${'ACCEPTCONN' | 'BINDTODEVICE' | 'BROADCAST' | 'COOKIE' | 'DOMAIN' | 'ERROR' | 'KEEPALIVE' | 'LINGER'}`
  | `SO_${'LOCK_FILTER' | 'MARK' | 'MEMINFO' | 'NETNS_COOKIE' | 'PASSCRED' | 'PASSRIGHTS' | 'PASSSEC' | 'PEERCRED'}`
  | `SO_${'PEERGROUPS' | 'PEERPIDFD' | 'PRIORITY' | 'PROTOCOL' | 'RCVBUF' | 'RCVBUFFORCE' | 'REUSEADDR'}`
  | `SO_${'REUSEPORT' | 'SNDBUF' | 'SNDBUFFORCE' | 'TIMESTAMP' | 'TIMESTAMPNS' | 'TYPE' | 'ATTACH_FILTER'}`
  | `SO_${'BINDTOIFINDEX' | 'BUSY_POLL' | 'DETACH_FILTER' | 'DONTROUTE' | 'GET_FILTER' | 'INCOMING_CPU'}`
  | `SO_${'MAX_PACING_RATE' | 'OOBINLINE' | 'PEEK_OFF' | 'RCVLOWAT' | 'RCVTIMEO' | 'SNDTIMEO' | 'TXTIME' | 'ZEROCOPY'}`
  | `SO_${'ATTACH_REUSEPORT_CBPF' | 'DETACH_REUSEPORT_BPF'}`
  | `EPOLL_CTL_${'ADD' | 'DEL'}`
  | 'EPOLLIN'
  | 'EPOLLONESHOT'
  | `IP_${'FREEBIND' | 'MINTTL' | 'MTU_DISCOVER' | 'OPTIONS' | 'PKTINFO' | 'RECVERR' | 'TOS' | 'TRANSPARENT' | 'TTL'}`
  | `IPV6_${'FREEBIND' | 'MINHOPCOUNT' | 'RECVPKTINFO' | 'TCLASS' | 'TRANSPARENT' | 'UNICAST_HOPS' | 'V6ONLY'}`
  | `TCP_${'CONGESTION' | 'CORK' | 'DEFER_ACCEPT' | 'FASTOPEN' | 'INFO' | 'KEEPCNT' | 'KEEPIDLE' | 'KEEPINTVL'}`
  | `TCP_${'LINGER2' | 'MAXSEG' | 'NODELAY' | 'NOTSENT_LOWAT' | 'QUICKACK' | 'SAVE_SYN' | 'SYNCNT' | 'USER_TIMEOUT'}`
  | `TCP_${'WINDOW_CLAMP' | 'INFO_STATE' | 'INFO_UNACKED' | 'INFO_SACKED'}`
  | `SK_MEMINFO_${'RMEM_ALLOC' | 'RCVBUF' | 'DROPS'}`
  | `VMADDR_${'CID' | 'PORT'}_ANY`
  | `O_${'RDONLY' | 'RDWR' | 'CREAT' | 'EXCL' | 'NOFOLLOW' | 'PATH' | 'DIRECTORY' | 'NONBLOCK'}`
  | `POLL${'IN' | 'OUT' | 'ERR' | 'HUP' | 'RDHUP'}`
  | `UV_${'READABLE' | 'WRITABLE' | 'DISCONNECT'}`
  | 'PEER_LENGTH'
  | `SCM_${'FDS_MAX' | 'META_LENGTH' | 'TRUNCATED' | 'CONTROL_TRUNCATED' | 'HAS_CREDENTIALS'}`

export type ErrnoName =
  | 'EPERM'
  | 'ENOENT'
  | 'ESRCH'
  | 'EINTR'
  | 'EIO'
  | 'ENXIO'
  | 'E2BIG'
  | 'EBADF'
  | 'ECHILD'
  | 'EAGAIN'
  | 'ENOMEM'
  | 'EACCES'
  | 'EFAULT'
  | 'EBUSY'
  | 'EEXIST'
  | 'EXDEV'
  | 'ENODEV'
  | 'ENOTDIR'
  | 'EISDIR'
  | 'EINVAL'
  | 'ENFILE'
  | 'EMFILE'
  | 'ENOTTY'
  | 'EFBIG'
  | 'ENOSPC'
  | 'ESPIPE'
  | 'EROFS'
  | 'EMLINK'
  | 'EPIPE'
  | 'EDOM'
  | 'ERANGE'
  | 'EDEADLK'
  | 'ENAMETOOLONG'
  | 'ENOLCK'
  | 'ENOSYS'
  | 'ENOTEMPTY'
  | 'ELOOP'
  | 'EPROTO'
  | 'EBADMSG'
  | 'EOVERFLOW'
  | 'EUSERS'
  | 'ENOTSOCK'
  | 'EDESTADDRREQ'
  | 'EMSGSIZE'
  | 'EPROTOTYPE'
  | 'ENOPROTOOPT'
  | 'EPROTONOSUPPORT'
  | 'ESOCKTNOSUPPORT'
  | 'EOPNOTSUPP'
  | 'EPFNOSUPPORT'
  | 'EAFNOSUPPORT'
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'ENETDOWN'
  | 'ENETUNREACH'
  | 'ENETRESET'
  | 'ECONNABORTED'
  | 'ECONNRESET'
  | 'ENOBUFS'
  | 'EISCONN'
  | 'ENOTCONN'
  | 'ESHUTDOWN'
  | 'ETOOMANYREFS'
  | 'ETIMEDOUT'
  | 'ECONNREFUSED'
  | 'EHOSTDOWN'
  | 'EHOSTUNREACH'
  | 'EALREADY'
  | 'EINPROGRESS'
  | 'ESTALE'
  | 'EDQUOT'
  | 'ECANCELED'
  | 'EOWNERDEAD'

export interface SocketName {
  family: number
  text: string
  port: number
}

export interface FileStat {
  dev: number
  ino: number
  mode: number
  uid: number
}

export interface NativePoll {
  start(events: number): number
  stop(): void
  close(): void
  ref(): void
  unref(): void
}

/** A datagram of a notify socket, with its sender by the kernel's word. */
export interface NotifyDatagram {
  fd: number
  pid: number
  uid: number
  gid: number
  text: string
}

declare const receiver: unique symbol
/** A thread that receives for notify sockets. */
export interface NotifyThread {
  readonly [receiver]: never
}

declare const hangups: unique symbol
/** A thread that watches shared sockets. */
export interface NativeWatch {
  readonly [hangups]: never
}

/**
 * The system calls. A number is the call's result, or -errno. What they open belongs to the environment (the main thread or a
 * worker thread) until close(), closeLater(), disown() or give(): a thread that ends closes what it still has.
 */
export interface Addon {
  readonly constants: Readonly<Record<ConstantName, number>> & { readonly errno: Readonly<Record<ErrnoName, number>> }
  /** The options that can be audited: level, number and bytes of each. */
  readonly socketOptions: Readonly<Record<string, readonly [level: number, name: number, size: number]>>
  readonly Poll: new (fd: number, callback: (status: number, events: number) => void) => NativePoll
  strerror(errno: number): string

  close(fd: number): number
  closeLater(fd: number): number
  /** The number is somebody else's to close from now on. */
  disown(fd: number): void
  /** Calls `take`, which makes the number a socket of Node's; where it throws, or its thread is ended meanwhile, Node has it or it is closed. */
  give(fd: number, take: (fd: number) => void): void
  dup(fd: number): number
  open(path: string, flags: number, mode: number): number
  /** renameat2(2) with RENAME_EXCHANGE: each path leads to what the other one led to. */
  exchange(path: string, other: string): number
  fchmod(fd: number, mode: number): number
  fchown(fd: number, uid: number, gid: number): number
  fstat(fd: number): FileStat | number
  memoryFile(name: string): number
  nonblock(fd: number): number
  setNonblock(fd: number, on: 0 | 1): number
  /** poll(2) without waiting: the events of now. */
  poll(fd: number, events: number): number
  /** poll(2) that waits, and holds up the thread: for talk with the keeper before the broker serves. */
  wait(fd: number, events: number, milliseconds: number): number
  lock(fd: number): number
  /** The pid that holds the lock, 0 if nobody does. */
  lockHolder(fd: number): number

  /** sched_yield(2). */
  yield(): number
  /** sched_setattr(2) of this thread. */
  slice(microseconds: number): number

  /** Sets of capabilities, as their low and high 32 bits. Each acts on every thread. */
  privilegesPrepare(low: number, high: number): number
  privilegesSettle(low: number, high: number): number

  pidfdOpen(pid: number): number
  /** The same for one thread (PIDFD_THREAD). */
  pidfdOpenThread(tid: number): number
  /** 1 when SIGKILL waits for the process whose /proc/PID/status that is. */
  killPending(status: number): number
  pidfdSignal(pidfd: number, signal: number): number
  pidfdGetfd(pidfd: number, fd: number): number

  socket(domain: number, type: number, protocol: number): number
  /** Fills `fds` with the two ends. */
  socketPair(domain: number, type: number, fds: Int32Array): number
  bind(fd: number, family: number, text: string, port: number): number
  connect(fd: number, family: number, text: string, port: number): number
  listen(fd: number, backlog: number): number
  accept(fd: number): number
  shutdown(fd: number, how: number): number
  setsockopt(fd: number, level: number, name: number, value: number | Uint8Array): number
  /** Fills `value`; the result is the length that the kernel wrote. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number
  getsockname(fd: number): SocketName | number
  getpeername(fd: number): SocketName | number
  /** Bytes sent that the peer has not read (SIOCOUTQ). */
  unsent(fd: number): number
  /** Fills `peer` with [pid, uid, gid, pidfd or -errno, has inode, its low and high half, bytes of groups or -errno, group…]. */
  peer(fd: number, peer: Int32Array): number
  /** Fills `meta` with [flags, nfds, pid, uid, gid, fd…]. */
  recv(fd: number, bytes: Uint8Array, limit: number, meta: Int32Array): number
  send(fd: number, bytes: Uint8Array, fds: Int32Array | null): number
  /** As send(), once each descriptor has been found to be the socket with this SO_COOKIE; else -ESTALE. */
  sendSockets(fd: number, bytes: Uint8Array, fds: Int32Array, cookies: BigUint64Array): number
  sendTo(fd: number, bytes: Uint8Array, fds: Int32Array | null, family: number, text: string, port: number): number
  notifyStart(): NotifyThread | number
  /** Readable while there are datagrams to take. Never the caller's to close. */
  notifyWakeFd(thread: NotifyThread): number
  /** The thread owns `fd` from now on, unless the result is below 0. */
  notifyAdd(thread: NotifyThread, fd: number): number
  notifyRemove(thread: NotifyThread, fd: number): number
  /** 1: what comes stays in its socket, until 0. False while a datagram is on its way out of its socket. */
  notifyHold(thread: NotifyThread, held: 0 | 1): boolean
  notifyTake(thread: NotifyThread): NotifyDatagram | undefined
  notifyDropped(thread: NotifyThread): number
  notifyStop(thread: NotifyThread): void

  /** Fills `stdio`, and answers how many bytes it took. */
  noteStdio(stdio: Uint8Array): number
  /** `start`: [soft RLIMIT_NOFILE, signals ignored, signals blocked, descriptors closed]. */
  resetSignals(start: BigUint64Array): void
  /** Strings in `argv` and `changes` end in NUL. Returns only when the arguments are wrong. */
  execReplace(
    argv: Uint8Array,
    changes: Uint8Array,
    fds: Int32Array,
    first: number,
    start: BigUint64Array,
    stdio: Uint8Array,
  ): number
  /** Fills `found` with what each row (level, name, size) says now; 0 when that is what was expected, else 1. */
  audit(fd: number, rows: Int32Array, expected: Uint8Array, found: Uint8Array): number
  /** Removes the keys of TCP_MD5SIG that can be seen; answers how many there were. */
  removeMd5(fd: number): number
  /** Whether a process without capabilities may attach a filter to a TCP socket: 1 or 0. */
  filterProbe(): number
  /** A thread that hears of hang-ups only. */
  watchStart(): NativeWatch | number
  /** Readable while there are hang-ups to take. Never the caller's to close. */
  watchWakeFd(watch: NativeWatch): number
  /** A TCP listener that hangs up listens again at once, with this backlog; below 0 it is only told. */
  watchAdd(watch: NativeWatch, fd: number, backlog: number): number
  watchRemove(watch: NativeWatch, fd: number): number
  /** Fills `events` with [fd, 1 if it listens again, fd…]; answers how many pairs. */
  watchTake(watch: NativeWatch, events: Int32Array): number
  watchStop(watch: NativeWatch): void
  /** dup3(2): `to` names what `from` names. */
  dupOnto(from: number, to: number): number
  /** `low` and `high`: the two halves of the data. */
  epollCtl(epoll: number, operation: number, fd: number, events: number, low: number, high: number): number
  epollOpen(): number
  /** Fills `data` with the lower halves of what is ready now; answers how many. */
  epollTake(epoll: number, data: Int32Array): number
  /** `code`: classic BPF, 8 bytes an instruction. */
  attachCbpf(fd: number, option: number, code: Uint8Array): number
  /**
   * What /proc says of processes, read off the event loop: records as native/proc_scan.h gives them and the pids of the unseen (uint32s),
   * or -errno. Both lists sorted.
   */
  scanProcesses(inodes: BigUint64Array, pids: Int32Array): Promise<[records: Uint8Array, unseen: Uint8Array] | number>
  /** Fills `figures` with [rqueue, wqueue, shutdown, state, file]. */
  unixDiag(inode: number, figures: Uint32Array): number
}

/** From src/sys and from dist/sys alike, the package's root is two up. */
const packageRoot = fileURLToPath(new URL('../..', import.meta.url))

/** The shipped ones are for Linux on x64 and arm64, with glibc or musl; another is built where the package lies. */
function missingAddon({ message }: Error): string {
  const build = `cd ${packageRoot} && npx --yes node-gyp rebuild`
  const reason = message.split('\n')[0]
  return `no native addon of fd-broker loads on ${process.platform}-${process.arch} (${reason}). Build it (needs gcc, make, python3): ${build}`
}

function load(): Addon {
  const require = createRequire(import.meta.url)
  try {
    return require('node-gyp-build')(packageRoot) as Addon
  } catch (cause) {
    throw new Error(missingAddon(cause as Error), { cause })
  }
}

export const addon = load()
export const constants = addon.constants
