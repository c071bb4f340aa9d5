import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addon, constants } from '../../src/sys/addon.ts'
import { Channel, type ChannelOptions, type MessageInfo } from '../../src/sys/channel.ts'
import { ControlListener } from '../../src/sys/control-listener.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { setInt } from '../../src/sys/sockopt.ts'
import type { SystemError } from '../../src/sys/system-error.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython, until } from '../support/python.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
endPythons()
const scratch = useScratch()

interface Seen {
  text: string
  length: number
  info: MessageInfo
}

interface Server {
  listener: ControlListener
  channel: Channel
  seen: Seen[]
  ends: (SystemError | undefined)[]
  failed: SystemError[]
}

const connectPeer = `
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
def rights(fds): return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))]
`

/** Accepts one connection of `connect`, as the broker does. */
async function serve(connect: (path: string) => void, options: Partial<ChannelOptions> = {}): Promise<Server> {
  const path = scratch.at('s')
  const server = { seen: [], ends: [], failed: [] } as unknown as Server
  server.listener = ControlListener.listen(path, 0o666, (fd) => {
    const handlers = {
      message: (bytes: Uint8Array, info: MessageInfo) => {
        server.seen.push({ text: Buffer.from(bytes.subarray(0, 40)).toString(), length: bytes.length, info })
      },
      close: (error: SystemError | undefined) => {
        server.ends.push(error)
        server.listener.close()
      },
      sendFailed: (error: SystemError) => {
        server.failed.push(error)
      },
    }
    server.channel = new Channel(fd, handlers, { receiveLimit: 4096, acceptFds: false, ...options })
  })
  connect(path)
  await until(() => server.channel !== undefined)
  return server
}

async function servePython(program: string, options: Partial<ChannelOptions> = {}) {
  let python!: ReturnType<typeof startPython>
  const server = await serve((path) => {
    python = startPython(connectPeer + program, [path])
  }, options)
  return { server, python }
}

/** Lets the peer send descriptors, as it can on a kernel without SO_PASSRIGHTS. */
function letRightsPass(channel: Channel): void {
  addon.setsockopt(channel.fd, constants.SOL_SOCKET, constants.SO_PASSRIGHTS, 1)
}

const idle = { message: () => {}, close: () => {} }

describe('Channel.connect', () => {
  it.each([
    ['nothing is there', 'absent', 'ENOENT'],
    ['nobody listens', 'stale', 'ECONNREFUSED'],
  ])('throws when %s', (_, name, code) => {
    const stale = new OwnedFd(addon.socket(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0))
    addon.bind(stale.fd, constants.AF_UNIX, scratch.at('stale'), 0)
    stale.close()
    expect(() => Channel.connect(scratch.at(name), idle)).toThrow(expect.objectContaining({ code, syscall: 'connect' }))
  })

  it('throws EAGAIN when the accept queue is full', () => {
    const socket = new OwnedFd(addon.socket(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0))
    addon.bind(socket.fd, constants.AF_UNIX, scratch.at('full'), 0)
    addon.listen(socket.fd, 0)
    const first = Channel.connect(scratch.at('full'), idle)
    expect(() => Channel.connect(scratch.at('full'), idle)).toThrow(expect.objectContaining({ code: 'EAGAIN' }))
    first.close()
    socket.close()
  })

  it('throws ENAMETOOLONG for a path that no socket address holds', () => {
    expect(() => Channel.connect(`/${'x'.repeat(108)}`, idle)).toThrow('ENAMETOOLONG')
  })

  it('reaches an abstract name', async () => {
    const name = `@fd-broker-test-${process.pid}`
    const accepted: OwnedFd[] = []
    const listener = ControlListener.listen(name, 0o666, (fd) => accepted.push(fd))
    const client = Channel.connect(name, idle)
    await until(() => accepted.length === 1)
    client.close()
    accepted[0]!.close()
    listener.close()
  })
})

describe('messages', () => {
  it('arrive one by one, with the sender by the kernel’s word', async () => {
    const { server, python } = await servePython(`s.send(b'one'); s.send(b'two'); wait()`)
    await until(() => server.seen.length === 2)
    expect(server.seen.map(({ text }) => text)).toEqual(['one', 'two'])
    expect(server.seen[0]!.info).toEqual({
      truncated: false,
      controlTruncated: false,
      fds: [],
      strayFds: 0,
      credentials: { pid: python.pid, uid: process.getuid!(), gid: process.getgid!() },
    })
    server.channel.close()
  })

  it('of no bytes are told from the end of input', async () => {
    const { server } = await servePython(`s.send(b''); s.send(b''); s.send(b'x'); s.send(b'')`)
    await until(() => server.ends.length === 1)
    expect(server.seen.map(({ length }) => length)).toEqual([0, 0, 1, 0])
    expect(server.ends).toEqual([undefined])
  })

  it('at the limit are whole; one byte more is truncated', async () => {
    const { server } = await servePython(`s.send(b'a' * 4096); s.send(b'b' * 4097)`)
    await until(() => server.ends.length === 1)
    expect(server.seen.map(({ length, info }) => [length, info.truncated])).toEqual([
      [4096, false],
      [4096, true],
    ])
  })

  it('that a peer sent before it vanished, leaving ours unread, are still delivered', async () => {
    const { server, python } = await servePython(`say('up'); wait(); s.send(b'last'); s.send(b'words'); os._exit(0)`)
    await python.line()
    server.channel.send(Buffer.from('unread'))
    python.write('go')
    await until(() => server.ends.length === 1)
    expect(server.seen.map(({ text }) => text)).toEqual(['last', 'words'])
    expect(server.ends[0]?.code).toBe('ECONNRESET')
  })

  it('are still read when an answer meets a closed connection, and send() then does nothing', async () => {
    const { server, python } = await servePython(`wait(); s.send(b'a'); s.send(b'b'); s.send(b'c'); os._exit(0)`)
    server.channel.pauseReading()
    python.write('go')
    await python.exit()
    server.channel.resumeReading()
    server.channel.send(Buffer.from('answer'))
    server.channel.send(Buffer.from('another'))
    expect(server.ends).toEqual([])
    await until(() => server.ends.length === 1)
    expect(server.seen.map(({ text }) => text)).toEqual(['a', 'b', 'c'])
    expect(server.ends[0]?.code).toBe('EPIPE')
  })

  it('wait in the kernel while reading is paused', async () => {
    const { server, python } = await servePython(`wait(); s.send(b'x'); say('sent'); wait()`)
    server.channel.pauseReading()
    python.write('go')
    await python.line()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(server.seen).toEqual([])
    server.channel.resumeReading()
    await until(() => server.seen.length === 1)
    server.channel.close()
  })

  it('handled by a function that throws reach uncaughtException, and the channel goes on', async () => {
    const accepted: OwnedFd[] = []
    const listener = ControlListener.listen(scratch.at('s'), 0o600, (fd) => accepted.push(fd))
    const client = Channel.connect(scratch.at('s'), idle)
    await until(() => accepted.length === 1)
    const seen: number[] = []
    const server = new Channel(
      accepted[0]!,
      {
        message: (bytes) => {
          seen.push(bytes[0]!)
          if (seen.length === 1) throw new Error('by the handler')
        },
        close: () => {},
      },
      { receiveLimit: 16, acceptFds: false },
    )
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    const caught: string[] = []
    process.on('uncaughtException', (error) => caught.push(error.message))
    client.send(Uint8Array.of(1))
    client.send(Uint8Array.of(2))
    await until(() => seen.length === 2)
    process.removeAllListeners('uncaughtException')
    for (const one of listeners) process.on('uncaughtException', one)
    expect(caught).toEqual(['by the handler'])
    for (const one of [client, server, listener]) one.close()
  })

  it('run microtasks and nextTicks before the next event', async () => {
    const order: string[] = []
    let client!: Channel
    const server = await serve(() => {
      client = Channel.connect(scratch.at('s'), {
        message: (bytes) => {
          order.push(`message ${bytes[0]}`)
          process.nextTick(() => order.push('tick'))
          Promise.resolve().then(() => order.push('microtask'))
        },
        close: () => {},
      })
    })
    server.channel.send(Uint8Array.of(1))
    server.channel.send(Uint8Array.of(2))
    await until(() => order.length === 6)
    expect(order).toEqual(['message 1', 'tick', 'microtask', 'message 2', 'tick', 'microtask'])
    client.close()
    server.channel.close()
  })
})

describe('descriptors', () => {
  const pipes = `
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (2048, 2048))
r, w = os.pipe()
`

  it.each([1, 252, 253])('arrive whole when there are %i, close-on-exec', async (count) => {
    const program = `${pipes}wait(); s.sendmsg([b'x'], rights([r] * ${count})); wait()`
    const { server, python } = await servePython(program, { acceptFds: true })
    python.write('go')
    await until(() => server.seen.length === 1)
    const { fds, controlTruncated } = server.seen[0]!.info
    expect([fds.length, controlTruncated]).toEqual([count, false])
    expect(fds.every(({ fd }) => /^flags:\s+02\d{6}$/m.test(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')))).toBe(
      true,
    )
    for (const fd of fds) fd.close()
    server.channel.close()
  })

  it('are refused by the kernel when there are 254', async () => {
    const program = `${pipes}
wait()
try: s.sendmsg([b'x'], rights([r] * 254))
except OSError as e: say(e.errno)
wait()`
    const { server, python } = await servePython(program, { acceptFds: true })
    python.write('go')
    expect(await python.line()).toBe('22')
    const client = Channel.connect(scratch.at('s'), idle)
    expect(() => client.send(Uint8Array.of(1), Array(254).fill(0))).toThrow('EINVAL')
    client.close()
    server.channel.close()
  })

  it('that came though none are accepted are closed and counted', async () => {
    const program = `${pipes}wait(); s.sendmsg([b'x'], rights([w] * 3)); os.close(w); say(len(os.read(r, 1)))`
    const { server, python } = await servePython(program)
    letRightsPass(server.channel)
    python.write('go')
    expect(await python.line()).toBe('0')
    expect(server.seen[0]!.info).toMatchObject({ fds: [], strayFds: 3 })
    server.channel.close()
  })

  it('still queued in the connection are let go of when it is closed', async () => {
    const program = `${pipes}wait(); s.sendmsg([b'x'], rights([w])); os.close(w); say('sent'); say(len(os.read(r, 1)))`
    const { server, python } = await servePython(program)
    letRightsPass(server.channel)
    server.channel.pauseReading()
    python.write('go')
    expect(await python.line()).toBe('sent')
    server.channel.close()
    expect(await python.line()).toBe('0')
  })

  it.runIf(passRightsExists())(
    'are refused at the sender with EPERM where SO_PASSRIGHTS exists (Linux 6.16)',
    async () => {
      const program = `${pipes}
wait()
try: s.sendmsg([b'x'], rights([r]))
except OSError as e: say(e.errno)
wait()`
      const { server, python } = await servePython(program)
      python.write('go')
      expect(await python.line()).toBe('1')
      server.channel.close()
    },
  )

  it.runIf(passRightsExists())('that the peer refuses make send() throw EPERM, and the channel goes on', async () => {
    const { server, python } = await servePython(`
s.setsockopt(socket.SOL_SOCKET, ${constants.SO_PASSRIGHTS}, 0)
say('set'); say(s.recv(9).decode()); wait()`)
    await python.line()
    expect(() => server.channel.send(Uint8Array.of(1), [0])).toThrow(expect.objectContaining({ code: 'EPERM' }))
    server.channel.send(Buffer.from('sorry'))
    expect(await python.line()).toBe('sorry')
    server.channel.close()
  })

  it('that find the table full are reported as controlTruncated, and none is left over', async () => {
    let client!: ReturnType<typeof startPython>
    const server = await serve((path) => {
      client = startPython(
        `${connectPeer}
import resource
wait()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096))
full = []
try:
    while True: full.append(os.dup(0))
except OSError: pass
os.close(full.pop()); os.close(full.pop())
data, anc, flags, _ = s.recvmsg(99, socket.CMSG_SPACE(4 * 253))
say(data.decode(), sum(len(a[2]) // 4 for a in anc), flags & socket.MSG_CTRUNC != 0); wait()`,
        [path],
      )
    })
    server.channel.send(Buffer.from('grant'), Array(10).fill(server.channel.fd))
    client.write('go')
    expect(await client.line()).toBe('grant 2 True')
    server.channel.close()
  })
})

function passRightsExists(): boolean {
  using socket = new OwnedFd(addon.socket(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0))
  return addon.setsockopt(socket.fd, constants.SOL_SOCKET, constants.SO_PASSRIGHTS, 0) === 0
}

describe('a peer that does not read', () => {
  const reader = `
wait()
n = fds = 0
while n < int(sys.argv[2]):
    data, anc, flags, _ = s.recvmsg(65536, socket.CMSG_SPACE(4 * 253))
    if n != int(data[:6]): say('out of order', n, data[:6])
    n += 1
    for a in anc:
        got = array.array('i', a[2][:len(a[2]) // 4 * 4]); fds += len(got)
        for fd in got: os.close(fd)
say(n, fds); wait()`

  it('gets all in order when it reads at last, the queue having its own bytes and descriptors', async () => {
    const count = 3000
    let python!: ReturnType<typeof startPython>
    const server = await serve((path) => {
      python = startPython(connectPeer + reader, [path, String(count)])
    })
    const { channel } = server
    const bytes = Buffer.alloc(100)
    const lent = new OwnedFd(addon.open('/dev/null', 0, 0))
    for (let i = 0; i < count; i++) {
      bytes.write(String(i).padStart(6, '0'))
      channel.send(bytes, i % 10 === 0 ? [lent.fd] : [])
    }
    bytes.fill(0)
    lent.close()
    expect(channel.queuedBytes).toBeGreaterThan(100_000)
    expect(channel.isRead).toBe(false)
    const stalled = channel.lastProgress
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(channel.lastProgress).toBe(stalled)

    python.write('go')
    expect(await python.line()).toBe(`${count} ${count / 10}`)
    expect(channel.queuedBytes).toBe(0)
    expect(channel.isRead).toBe(true)
    expect(channel.lastProgress).toBeGreaterThan(stalled)
    channel.close()
  })

  it('costs no descriptor once the channel is closed on it', async () => {
    const { server } = await servePython('wait()')
    const lent = new OwnedFd(addon.open('/dev/null', 0, 0))
    for (let i = 0; i < 3000; i++) server.channel.send(Buffer.alloc(64), [lent.fd])
    expect(server.channel.queuedBytes).toBeGreaterThan(0)
    lent.close()
    server.channel.close()
    await until(() => server.ends.length === 1)
    expect(server.ends).toEqual([undefined])
  })

  it('and then vanishes ends the channel', async () => {
    const { server, python } = await servePython('wait()')
    for (let i = 0; i < 3000; i++) server.channel.send(Buffer.alloc(64))
    python.process.kill('SIGKILL')
    await until(() => server.ends.length === 1)
    expect(['EPIPE', 'ECONNRESET']).toContain(server.ends[0]?.code)
    expect(server.channel.queuedBytes).toBe(0)
  })

  it.runIf(passRightsExists())('and refuses a queued descriptor costs that message only', async () => {
    const { server, python } = await servePython(`
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
wait(); s.setsockopt(socket.SOL_SOCKET, ${constants.SO_PASSRIGHTS}, 0); say('set'); wait()
while s.recv(99) != b'after': pass
say('done'); wait()`)
    while (server.channel.queuedBytes === 0) server.channel.send(Buffer.alloc(64))
    server.channel.send(Buffer.from('grant'), [0])
    server.channel.send(Buffer.from('after'))
    python.write('set')
    await python.line()
    python.write('read')
    expect(await python.line()).toBe('done')
    expect(server.failed.map(({ code }) => code)).toEqual(['EPERM'])
    server.channel.close()
  })
})

describe('closing', () => {
  it('twice is once, and tells the handler later, not from within', async () => {
    let client!: Channel
    const server = await serve((path) => {
      client = Channel.connect(path, idle)
    })
    server.channel.close()
    server.channel.close()
    expect(server.ends).toEqual([])
    await until(() => server.ends.length === 1)
    expect(() => server.channel.fd).toThrow('closed')
    client.close()
  })

  it('by the handler while it reads a message is safe', async () => {
    let client!: Channel
    const server = await serve((path) => {
      client = Channel.connect(path, { message: () => client.close(), close: () => {} })
    })
    server.channel.send(Uint8Array.of(1))
    await until(() => server.ends.length === 1)
    expect(client.closed).toBe(true)
  })

  it('one with SO_SNDBUF at the least still sends the longest reply', async () => {
    let client!: Channel
    const got: number[] = []
    const server = await serve((path) => {
      client = Channel.connect(path, { message: (bytes) => got.push(bytes.length), close: () => {} })
    })
    setInt(server.channel.fd, constants.SOL_SOCKET, constants.SO_SNDBUF, 65536)
    server.channel.send(Buffer.alloc(65536))
    await until(() => got.length === 1)
    expect(got).toEqual([65536])
    client.close()
    server.channel.close()
  })
})
