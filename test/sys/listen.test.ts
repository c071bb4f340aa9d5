import { execFileSync } from 'node:child_process'
import { existsSync, lchownSync, lstatSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { formatAddress, parseAddress } from '../../src/protocol/address.ts'
import type { SocketOptions } from '../../src/protocol/socket-options.ts'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { type BoundSocket, openSocket } from '../../src/sys/listen.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { getBytes, getInt, socketCookie } from '../../src/sys/sockopt.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
endPythons()
const scratch = useScratch()
const root = process.getuid!() === 0

function open(address: string, options: SocketOptions = {}, backlog = 16): BoundSocket {
  return openSocket(parseAddress(address), options, backlog)
}

const hasVsock = (() => {
  const fd = addon.socket(c.AF_VSOCK, c.SOCK_STREAM, 0)
  if (fd >= 0) addon.close(fd)
  return fd >= 0
})()

describe('openSocket', () => {
  it.each([
    ['tcp://127.0.0.1:0', c.SOCK_STREAM, 1],
    ['tcp://[::1]:0', c.SOCK_STREAM, 1],
    ['udp://127.0.0.1:0', c.SOCK_DGRAM, 0],
    ['udp://[::1]:0', c.SOCK_DGRAM, 0],
    ['unix://@fdb-test', c.SOCK_STREAM, 1],
    ['unix-dgram://@fdb-test', c.SOCK_DGRAM, 0],
    ['unix-seqpacket://@fdb-test', c.SOCK_SEQPACKET, 1],
  ])('binds %s, blocking and close-on-exec, with the real port and the cookie', (text, type, accepts) => {
    const socket = open(text)
    const { fd } = socket.fd
    expect(getInt(fd, c.SOL_SOCKET, c.SO_TYPE)).toBe(type)
    expect(getInt(fd, c.SOL_SOCKET, c.SO_ACCEPTCONN)).toBe(accepts)
    expect(addon.nonblock(fd)).toBe(0)
    if ('port' in socket.address) expect(socket.address.port).toBeGreaterThan(0)
    expect(socket.cookie).toMatch(/^[0-9a-f]{16}$/)
    expect(socket.cookie).toBe(socketCookie(fd))
    socket.close()
    socket.close()
  })

  it('writes the cookie as the kernel’s number, most significant digit first', () => {
    const socket = open('tcp://127.0.0.1:0')
    const { port } = socket.address as { port: number }
    const line = execFileSync('ss', ['-tlneH', `sport = :${port}`], { encoding: 'utf8' })
    expect(Number.parseInt(socket.cookie, 16)).toBe(Number.parseInt(/ sk:([0-9a-f]+)/.exec(line)![1]!, 16))
    socket.close()
  })

  it.runIf(hasVsock)('binds vsock (needs AF_VSOCK)', () => {
    const socket = open('vsock://any:0')
    expect(formatAddress(socket.address)).toMatch(/^vsock:\/\/any:\d+$/)
    socket.close()
  })

  it('binds a port of the kernel’s choice explicitly: after a shutdown, listen() has the same one', () => {
    const socket = open('tcp://127.0.0.1:0')
    addon.shutdown(socket.fd.fd, c.SHUT_RDWR)
    expect(getInt(socket.fd.fd, c.SOL_SOCKET, c.SO_ACCEPTCONN)).toBe(0)
    expect(addon.listen(socket.fd.fd, 16)).toBe(0)
    expect(addon.getsockname(socket.fd.fd)).toMatchObject({ port: (socket.address as { port: number }).port })
    socket.close()

    const implicit = new OwnedFd(addon.socket(c.AF_INET, c.SOCK_STREAM, 0))
    addon.bind(implicit.fd, c.AF_INET, '127.0.0.1', 0)
    addon.listen(implicit.fd, 1)
    const before = addon.getsockname(implicit.fd) as { port: number }
    addon.shutdown(implicit.fd, c.SHUT_RDWR)
    addon.listen(implicit.fd, 1)
    expect((addon.getsockname(implicit.fd) as { port: number }).port).not.toBe(before.port)
    implicit.close()
  })

  it('sets IPV6_V6ONLY explicitly: an IPv4-mapped address is bound by `both`, and by default', () => {
    for (const options of [{ bindIpv6Only: 'both' }, {}] as const) {
      const socket = open('tcp://[::ffff:127.0.0.1]:0', options)
      expect(getInt(socket.fd.fd, c.IPPROTO_IPV6, c.IPV6_V6ONLY)).toBe(0)
      socket.close()
    }
    expect(() => open('tcp://[::ffff:127.0.0.1]:0', { bindIpv6Only: 'ipv6-only' })).toThrow('EINVAL')
  })

  const readBack: [string, string, SocketOptions, number, number, number][] = [
    ['freeBind', 'tcp://127.0.0.1:0', { freeBind: true }, c.IPPROTO_IP, c.IP_FREEBIND, 1],
    ['reusePort', 'udp://127.0.0.1:0', { reusePort: true }, c.SOL_SOCKET, c.SO_REUSEPORT, 1],
    ['keepAlive', 'tcp://127.0.0.1:0', { keepAlive: true }, c.SOL_SOCKET, c.SO_KEEPALIVE, 1],
    ['keepAliveTime', 'tcp://127.0.0.1:0', { keepAliveTime: 77 }, c.IPPROTO_TCP, c.TCP_KEEPIDLE, 77],
    ['keepAliveInterval', 'tcp://127.0.0.1:0', { keepAliveInterval: 7 }, c.IPPROTO_TCP, c.TCP_KEEPINTVL, 7],
    ['keepAliveProbes', 'tcp://127.0.0.1:0', { keepAliveProbes: 5 }, c.IPPROTO_TCP, c.TCP_KEEPCNT, 5],
    ['noDelay', 'tcp://127.0.0.1:0', { noDelay: true }, c.IPPROTO_TCP, c.TCP_NODELAY, 1],
    ['deferAccept', 'tcp://127.0.0.1:0', { deferAccept: 1 }, c.IPPROTO_TCP, c.TCP_DEFER_ACCEPT, 1],
    ['priority', 'tcp://127.0.0.1:0', { priority: 5 }, c.SOL_SOCKET, c.SO_PRIORITY, 5],
    [
      'priority, whatever goes with ipTos,',
      'tcp://127.0.0.1:0',
      { priority: 3, ipTos: 16 },
      c.SOL_SOCKET,
      c.SO_PRIORITY,
      3,
    ],
    [
      'priority, whatever goes with ipTos,',
      'udp://[::1]:0',
      { priority: 3, ipTos: 16 },
      c.SOL_SOCKET,
      c.SO_PRIORITY,
      3,
    ],
    ['receiveBuffer', 'unix://@fdb-o', { receiveBuffer: 32768 }, c.SOL_SOCKET, c.SO_RCVBUF, 65536],
    ['sendBuffer', 'udp://127.0.0.1:0', { sendBuffer: 32768 }, c.SOL_SOCKET, c.SO_SNDBUF, 65536],
    ['ipTos', 'tcp://127.0.0.1:0', { ipTos: 0x10 }, c.IPPROTO_IP, c.IP_TOS, 0x10],
    ['ipTos', 'tcp://[::1]:0', { ipTos: 0x10 }, c.IPPROTO_IPV6, c.IPV6_TCLASS, 0x10],
    ['ipTtl', 'udp://127.0.0.1:0', { ipTtl: 9 }, c.IPPROTO_IP, c.IP_TTL, 9],
    ['ipTtl', 'udp://[::1]:0', { ipTtl: 9 }, c.IPPROTO_IPV6, c.IPV6_UNICAST_HOPS, 9],
    ['tcpFastOpen', 'tcp://127.0.0.1:0', { tcpFastOpen: 33 }, c.IPPROTO_TCP, c.TCP_FASTOPEN, 33],
    ['broadcast', 'udp://127.0.0.1:0', { broadcast: true }, c.SOL_SOCKET, c.SO_BROADCAST, 1],
    ['passCredentials', 'unix-dgram://@fdb-o', { passCredentials: true }, c.SOL_SOCKET, c.SO_PASSCRED, 1],
    ['passSecurity', 'unix-dgram://@fdb-o', { passSecurity: true }, c.SOL_SOCKET, c.SO_PASSSEC, 1],
    ['passPacketInfo', 'udp://127.0.0.1:0', { passPacketInfo: true }, c.IPPROTO_IP, c.IP_PKTINFO, 1],
    ['passPacketInfo', 'udp://[::1]:0', { passPacketInfo: true }, c.IPPROTO_IPV6, c.IPV6_RECVPKTINFO, 1],
    ['timestamping', 'udp://127.0.0.1:0', { timestamping: 'us' }, c.SOL_SOCKET, c.SO_TIMESTAMP, 1],
    ['timestamping', 'udp://127.0.0.1:0', { timestamping: 'ns' }, c.SOL_SOCKET, c.SO_TIMESTAMPNS, 1],
    [
      'sockopt',
      'tcp://127.0.0.1:0',
      { sockopt: [{ level: c.IPPROTO_TCP, name: c.TCP_USER_TIMEOUT, value: 1234 }] },
      c.IPPROTO_TCP,
      c.TCP_USER_TIMEOUT,
      1234,
    ],
    [
      'sockopt of bytes',
      'tcp://127.0.0.1:0',
      { sockopt: [{ level: c.IPPROTO_TCP, name: c.TCP_SYNCNT, value: new Uint8Array(Int32Array.of(3).buffer) }] },
      c.IPPROTO_TCP,
      c.TCP_SYNCNT,
      3,
    ],
  ]
  it.each(readBack)('sets %s on %s', (_, address, options, level, name, value) => {
    const bare = open(address)
    expect(getInt(bare.fd.fd, level, name)).not.toBe(value)
    bare.close()
    const socket = open(address, options)
    expect(getInt(socket.fd.fd, level, name)).toBe(value)
    socket.close()
  })

  it.runIf(root)('sets what needs privileges: mark, transparent, an interface, a buffer beyond the limit', () => {
    const options = { mark: 42, transparent: true, bindToDevice: 'lo', receiveBuffer: 64 << 20 }
    const socket = open('tcp://127.0.0.1:0', options)
    const { fd } = socket.fd
    expect(getInt(fd, c.SOL_SOCKET, c.SO_MARK)).toBe(42)
    expect(getInt(fd, c.IPPROTO_IP, c.IP_TRANSPARENT)).toBe(1)
    expect(Buffer.from(getBytes(fd, c.SOL_SOCKET, c.SO_BINDTODEVICE, 16)).toString()).toBe('lo\0')
    expect(getInt(fd, c.SOL_SOCKET, c.SO_RCVBUF)).toBe(128 << 20)
    socket.close()
  })

  it('sets tcpCongestion and nonBlocking', () => {
    const socket = open('tcp://127.0.0.1:0', { tcpCongestion: 'reno', nonBlocking: true })
    const name = Buffer.from(getBytes(socket.fd.fd, c.IPPROTO_TCP, c.TCP_CONGESTION, 16)).toString()
    expect(name.replace(/\0+$/, '')).toBe('reno')
    expect(addon.nonblock(socket.fd.fd)).toBe(1)
    socket.close()
  })

  it('sets the backlog, and SO_REUSEADDR on TCP only', () => {
    const tcp = open('tcp://127.0.0.1:0', {}, 7)
    expect(getInt(tcp.fd.fd, c.SOL_SOCKET, c.SO_REUSEADDR)).toBe(1)
    tcp.close()
    const udp = open('udp://127.0.0.1:0')
    expect(getInt(udp.fd.fd, c.SOL_SOCKET, c.SO_REUSEADDR)).toBe(0)
    udp.close()
  })

  it('binds a link-local address by its zone', () => {
    expect(() => open('tcp://[fe80::1%nowhere0]:0')).toThrow(/fe80::1%nowhere0.*there is no such interface/)
  })
})

describe('an error', () => {
  it.each(['tcp', 'udp'])('says who has a %s port', async (type) => {
    const python = startPython(
      `
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if sys.argv[1] == 'tcp' else socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 0))
if sys.argv[1] == 'tcp': s.listen(5)
say(s.getsockname()[1]); wait()`,
      [type],
    )
    const port = await python.line()
    const name = `${type}://127.0.0.1:${port}`
    expect(() => open(name)).toThrow(
      expect.objectContaining({
        code: 'EADDRINUSE',
        message: expect.stringMatching(`^${name} is in use by python3\\S* \\(pid ${python.pid}\\): bind: EADDRINUSE`),
      }),
    )
    expect(() => open(`${type}://0.0.0.0:${port}`)).toThrow(`pid ${python.pid}`)
    expect(() => open(`${type}://[::]:${port}`)).toThrow(`pid ${python.pid}`)
  })

  it('names address, option and reason', () => {
    expect(() => open('tcp://127.0.0.1:0', { tcpCongestion: 'nonsense' })).toThrow(
      /^tcp:\/\/127\.0\.0\.1:0: option tcp_congestion: setsockopt: ENOENT \(no such file or directory\); this kernel has .*\bcubic\b/,
    )
    expect(() => open('unix://@fdb-x', { noDelay: true })).toThrow('option no_delay does not apply to unix')
    expect(() => open('tcp://192.0.2.1:80')).toThrow(/EADDRNOTAVAIL .*with free_bind/)
    if (hasVsock)
      expect(() => open('vsock://77:1234')).toThrow(/EADDRNOTAVAIL .*not have that context id: vsock:\/\/any:1234 /)
  })
})

describe('a Unix path', () => {
  it.each(['unix', 'unix-dgram', 'unix-seqpacket'])('of %s has the modes that were asked for', (type) => {
    for (const mode of [0o600, 0o660, 0o666]) {
      const path = scratch.at(`a/b/${mode}`)
      const socket = open(`${type}://${path}`, { socketMode: mode, directoryMode: 0o775 })
      expect(statSync(path).mode & 0o7777).toBe(mode)
      expect(statSync(scratch.at('a')).mode & 0o7777).toBe(0o775)
      expect(statSync(scratch.at('a/b')).mode & 0o7777).toBe(0o775)
      socket.close()
      expect(existsSync(path)).toBe(false)
    }
  })

  it.runIf(root).each(['unix', 'unix-dgram'])('of %s has the owner that was asked for (needs root)', (type) => {
    const options = { socketUser: 65534, socketGroup: 65533, socketMode: 0o660 }
    const socket = open(`${type}://${scratch.at('s')}`, options)
    expect(lstatSync(scratch.at('s'))).toMatchObject({ uid: 65534, gid: 65533 })
    expect(lstatSync(scratch.at('s')).mode & 0o7777).toBe(0o660)
    socket.close()
  })

  it.each([
    ['a file', (path: string) => writeFileSync(path, 'precious')],
    ['a symbolic link', (path: string) => symlinkSync('/nowhere', path)],
    ['a directory', (path: string) => mkdirSync(path)],
  ])('that is %s is refused, and stays', (_, make) => {
    make(scratch.at('s'))
    expect(() => open(`unix://${scratch.at('s')}`)).toThrow('remove it, or choose another path')
    expect(lstatSync(scratch.at('s')).isSocket()).toBe(false)
  })

  it.each([
    ['unix', 'STREAM'],
    ['unix-dgram', 'DGRAM'],
    ['unix-seqpacket', 'SEQPACKET'],
  ])('of %s that is in use is not taken, and the process is named; a stale one is', async (type, kind) => {
    const python = startPython(
      `
s = socket.socket(socket.AF_UNIX, socket.SOCK_${kind}); s.bind(sys.argv[1])
if '${kind}' != 'DGRAM': s.listen(5)
say('bound'); wait()`,
      [scratch.at('s')],
    )
    await python.line()
    const name = `${type}://${scratch.at('s')}`
    expect(() => open(name)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    expect(() => open(name)).toThrow(new RegExp(`is in use by python3\\S* \\(pid ${python.pid}\\)`))
    python.process.kill('SIGKILL')
    await python.exit()
    expect(existsSync(scratch.at('s'))).toBe(true)
    open(name).close()
  })

  it.runIf(root)('that another user left is not taken, but what this one or the one that gets it left is', () => {
    const at = scratch.at('s')
    const leave = (uid: number) => {
      const socket = new OwnedFd(addon.socket(c.AF_UNIX, c.SOCK_STREAM, 0))
      addon.bind(socket.fd, c.AF_UNIX, at, 0)
      socket.close()
      lchownSync(at, uid, 0)
    }
    leave(1234)
    expect(() => open(`unix://${at}`)).toThrow(`${at} is a socket that uid 1234 left there: remove it`)
    expect(lstatSync(at).uid).toBe(1234)
    open(`unix://${at}`, { socketUser: 1234 }).close()
    leave(0)
    open(`unix://${at}`).close()
    expect(existsSync(at)).toBe(false)
  })

  it('is left alone by close() when it is another inode by now', () => {
    const socket = open(`unix://${scratch.at('s')}`)
    const other = open(`unix://${scratch.at('t')}`)
    renameSync(scratch.at('t'), scratch.at('s'))
    socket.close()
    expect(existsSync(scratch.at('s'))).toBe(true)
    other.close()
  })

  it('is not left behind, nor its directories, when a later step fails', () => {
    const address = `unix://${scratch.at('new/dir/s')}`
    expect(() => open(address, { sockopt: [{ level: 9999, name: 1, value: 1 }] })).toThrow(
      'option sockopt: setsockopt level 9999 name 1',
    )
    expect(existsSync(scratch.at('new'))).toBe(false)
    expect(() => open(address, { socketUser: 2 ** 33 })).toThrow(scratch.at('new/dir/s'))
    expect(existsSync(scratch.at('new'))).toBe(false)
  })

  it.runIf(root)('in a directory of another user is bound all the same', () => {
    mkdirSync(scratch.at('theirs'))
    lchownSync(scratch.at('theirs'), 65534, 65534)
    open(`unix://${scratch.at('theirs/s')}`).close()
  })
})
