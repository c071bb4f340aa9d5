import { addon, constants } from './addon.ts'
import { OwnedFd } from './owned-fd.ts'
import { isPassing, isShortage } from './passing-errors.ts'
import { type Peer, type PeerOptions, peerOf } from './peer.ts'
import { Poll, READABLE, WRITABLE } from './poll.ts'
import { type Credentials, type Received, receive, receivedBytes } from './receive.ts'
import { SendQueue } from './send-queue.ts'
import { admitRights, peerCredentials, refuseRights, setInt } from './sockopt.ts'
import { check, SystemError } from './system-error.ts'
import { lend, transmit } from './transmit.ts'

export interface MessageInfo {
  /** The packet was longer than the receive limit; its rest is lost. */
  truncated: boolean
  /** Descriptors that were sent did not arrive: our table is full, or a security module refused them. */
  controlTruncated: boolean
  /** The handler's from now on, to close. Empty when the channel accepts none. */
  fds: readonly OwnedFd[]
  /** How many came though none are accepted; they are closed already. */
  strayFds: number
  credentials: Credentials | undefined
}

export interface ChannelHandlers {
  /** `bytes` are valid only until the handler returns. */
  message(bytes: Uint8Array, info: MessageInfo): void
  /** Once, at the end of input, an error or one's own close(); never from within send() or close(). */
  close(error: SystemError | undefined): void
  /** A queued message that the kernel refused for good; it is dropped, and the channel goes on. */
  sendFailed?(error: SystemError): void
}

export interface ChannelOptions {
  /** Bytes of the longest packet; one more is `truncated`. */
  receiveLimit: number
  acceptFds: boolean
}

const { EPIPE, ECONNRESET, ENOTCONN } = constants.errno

/** The kernel does not say when descriptors in flight or memory become fewer: it is tried again by the clock. */
const RETRY_MS = 10
/** Packets of a peer that is being closed; more than its send buffer holds of the smallest. */
const DISCARDED_MOST = 1024
const peerGone = new Set([EPIPE, ECONNRESET, ENOTCONN])

/** One SEQPACKET connection: a packet is a message. */
export class Channel {
  readonly #socket: OwnedFd
  readonly #handlers: ChannelHandlers
  readonly #options: ChannelOptions
  readonly #closesLater: boolean
  readonly #poll: Poll
  readonly #queue = new SendQueue()
  #lastProgress = performance.now()
  /** Reasons not to read. */
  #pauses = 0
  #watched = 0
  #retry: NodeJS.Timeout | undefined
  #broken: SystemError | undefined
  #referenced = true

  /** A path, or `@name` in the abstract namespace. Throws ENOENT, ECONNREFUSED, EACCES, or EAGAIN for a full queue. */
  static connect(path: string, handlers: ChannelHandlers, options: Partial<ChannelOptions> = {}): Channel {
    const type = constants.SOCK_SEQPACKET | constants.SOCK_NONBLOCK
    const socket = new OwnedFd(check(addon.socket(constants.AF_UNIX, type, 0), 'socket'))
    try {
      setInt(socket.fd, constants.SOL_SOCKET, constants.SO_PASSCRED, 1)
      check(addon.connect(socket.fd, constants.AF_UNIX, path, 0), 'connect')
      return new Channel(socket, handlers, { receiveLimit: 65536, acceptFds: true, ...options })
    } catch (error) {
      socket.close()
      throw error
    }
  }

  /** Owns `socket` from now on. SO_PASSCRED must be on before the peer sends; a listener hands it down. */
  constructor(socket: OwnedFd, handlers: ChannelHandlers, options: ChannelOptions) {
    this.#socket = socket
    this.#handlers = handlers
    this.#options = options
    if (options.acceptFds) admitRights(socket.fd)
    this.#closesLater = !options.acceptFds && !refuseRights(socket.fd)
    this.#poll = new Poll(socket.fd, (status) => this.#onReady(status))
    this.#watch()
  }

  get fd(): number {
    return this.#socket.fd
  }

  get closed(): boolean {
    return this.#socket.closed
  }

  get queuedBytes(): number {
    return this.#queue.bytes
  }

  /** When the queue was last seen empty, or shrank, on performance.now()'s clock. */
  get lastProgress(): number {
    return this.#queue.head ? this.#lastProgress : performance.now()
  }

  /** Whether the peer has read all that the kernel took; false where that cannot be asked. */
  get isRead(): boolean {
    return addon.unsent(this.fd) === 0
  }

  /** As `peer` has it, without taking a descriptor. */
  get peerUid(): number {
    return peerCredentials(this.fd).uid
  }

  peer(options?: PeerOptions): Peer {
    return peerOf(this.fd, options)
  }

  /**
   * Sends now, or queues a copy (bytes and descriptors) while the peer does not read. Does nothing once the connection is
   * over: `close` tells. Throws when the kernel refuses the message itself, as with EPERM: the peer takes no descriptors. With
   * `cookies`, one for each descriptor, throws ESTALE instead of sending one that is not the socket with that SO_COOKIE.
   */
  send(bytes: Uint8Array, fds: readonly number[] = [], cookies?: BigUint64Array): void {
    if (this.closed || this.#broken) return
    const numbers = fds.length > 0 ? lend(fds) : null
    if (this.#queue.head) {
      this.#queue.add(bytes, numbers, cookies)
      return
    }
    const errno = -transmit(this.fd, bytes, numbers, cookies)
    if (errno <= 0) return
    if (peerGone.has(errno)) {
      this.#finishReading(new SystemError(errno, 'sendmsg'))
      return
    }
    if (!isPassing(errno)) throw new SystemError(errno, 'sendmsg')
    this.#lastProgress = performance.now()
    this.#queue.add(bytes, numbers, cookies)
    if (isShortage(errno)) this.#retryLater()
    this.#watch()
  }

  /** While paused, the peer's end is not noticed either. Each pause needs a resume of its own. */
  pauseReading(): void {
    this.#pauses++
    this.#watch()
  }

  resumeReading(): void {
    this.#pauses--
    this.#watch()
  }

  /** The peer sees the end; what it still sends is received, up to its own end. */
  endSending(): void {
    if (!this.closed) addon.shutdown(this.fd, constants.SHUT_WR)
  }

  close(): void {
    this.#end(undefined)
  }

  /**
   * Closes after an answer that the peer is to read: input left unread would reach it as ECONNRESET before that answer does
   * (net/unix/af_unix.c, unix_release_sock), so what is there is taken off first.
   */
  discardAndClose(): void {
    for (let taken = 0; taken < DISCARDED_MOST && !this.closed; taken++) {
      const { result, fds, credentials } = receive(this.fd, this.#options.receiveLimit)
      for (const fd of fds) fd.closeLater()
      if (result < 0 || (result === 0 && !credentials)) break
    }
    this.close()
  }

  ref(): void {
    this.#referenced = true
    this.#retry?.ref()
    if (!this.closed) this.#poll.ref()
  }

  unref(): void {
    this.#referenced = false
    this.#retry?.unref()
    if (!this.closed) this.#poll.unref()
  }

  #watch(): void {
    if (this.closed || this.#broken) return
    const events = (this.#pauses === 0 ? READABLE : 0) | (this.#queue.head && !this.#retry ? WRITABLE : 0)
    if (events === this.#watched) return
    this.#watched = events
    if (events) this.#poll.start(events)
    else this.#poll.stop()
  }

  #onReady(status: number): void {
    if (status < 0) this.#watched = 0
    else if (this.#queue.head && !this.#retry) this.#flush()
    if (this.closed || this.#broken) return
    if ((this.#pauses === 0 || status < 0) && this.#receive() === 'nothing' && status < 0) {
      this.#end(new SystemError(-status, 'epoll_wait'))
    }
    this.#watch()
  }

  #receive(): 'packet' | 'nothing' | 'end' {
    const received = receive(this.fd, this.#options.receiveLimit)
    const { result, credentials } = received
    if (result < 0) return this.#onReceiveError(-result)
    // With SO_PASSCRED every packet carries credentials, an empty one too; the end of input carries none.
    if (result === 0 && !credentials) {
      this.#end(this.#broken)
      return 'end'
    }
    this.#deliver(received)
    return 'packet'
  }

  #deliver({ result, truncated, controlTruncated, fds, credentials }: Received): void {
    const { acceptFds } = this.#options
    if (!acceptFds) for (const fd of fds) fd.closeLater()
    this.#handlers.message(receivedBytes(result), {
      truncated,
      controlTruncated,
      fds: acceptFds ? fds : [],
      strayFds: acceptFds ? 0 : fds.length,
      credentials,
    })
  }

  #onReceiveError(errno: number): 'packet' | 'nothing' | 'end' {
    if (isPassing(errno)) return 'nothing'
    const error = new SystemError(errno, 'recvmsg')
    // The peer left without reading all. The kernel says so once, before what the peer had sent: that is still there.
    if (errno === ECONNRESET) this.#finishReading(error)
    else this.#end(error)
    return 'end'
  }

  #flush(): void {
    for (let head = this.#queue.head; head && !this.closed; head = this.#queue.head) {
      const errno = -transmit(this.fd, head.bytes, head.fds, head.cookies)
      if (peerGone.has(errno)) this.#finishReading(new SystemError(errno, 'sendmsg'))
      if (isShortage(errno)) this.#retryLater()
      if (isPassing(errno) || this.#broken) return
      this.#queue.shift()
      this.#lastProgress = performance.now()
      if (errno > 0) this.#handlers.sendFailed?.(new SystemError(errno, 'sendmsg'))
    }
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      if (this.closed || this.#broken) return
      this.#flush()
      this.#watch()
    }, RETRY_MS)
    if (!this.#referenced) this.#retry.unref()
  }

  /** The peer is gone, but what it sent before is still worth reading: one packet a turn, then the close. */
  #finishReading(error: SystemError): void {
    if (this.#broken) return
    this.#broken = error
    this.#queue.clear()
    this.#poll.stop()
    const step = () => {
      if (this.closed) return
      if (this.#pauses === 0 && this.#receive() !== 'nothing') setImmediate(step)
      else this.#end(error)
    }
    setImmediate(step)
  }

  #end(error: SystemError | undefined): void {
    if (this.closed) return
    clearTimeout(this.#retry)
    this.#queue.clear()
    this.#poll.close()
    if (this.#closesLater) {
      addon.shutdown(this.fd, constants.SHUT_RDWR)
      this.#socket.closeLater()
    } else {
      this.#socket.close()
    }
    process.nextTick(() => this.#handlers.close(error))
  }
}
