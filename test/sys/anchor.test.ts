import { afterEach, describe, expect, it } from 'vitest'
import { parseAddress } from '../../src/protocol/address.ts'
import type { SocketOptions } from '../../src/protocol/socket-options.ts'
import { addon, constants as c, type SocketName } from '../../src/sys/addon.ts'
import { adoptSocket } from '../../src/sys/adopt.ts'
import { type BoundSocket, openSocket } from '../../src/sys/listen.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { setInt } from '../../src/sys/sockopt.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'

forbidLeaks()
endPythons()
const root = process.getuid!() === 0
const NOBODY = 65534

const opened: { close(): void }[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

const open = (address: string, options: SocketOptions = {}, replaced?: BoundSocket): BoundSocket => {
  const socket = openSocket(parseAddress(address), options, 16, replaced)
  opened.push(socket)
  return socket
}

const portOf = (fd: OwnedFd) => (addon.getsockname(fd.fd) as SocketName).port

/** As a program binds that knows of no anchors. */
function bare(type: number, reuseAddress: 0 | 1): OwnedFd {
  const fd = new OwnedFd(addon.socket(c.AF_INET, type, 0))
  opened.push(fd)
  setInt(fd.fd, c.SOL_SOCKET, c.SO_REUSEADDR, reuseAddress)
  expect(addon.bind(fd.fd, c.AF_INET, '127.0.0.1', 0)).toBe(0)
  if (type === c.SOCK_STREAM) addon.listen(fd.fd, 16)
  return fd
}

/** Everything that a holder without rights can do to have the port for itself. Its answer: how often it had it. */
const THIEF = `
kind, port = sys.argv[1], int(sys.argv[2])
shared = socket.socket(fileno=3)
reuse = [(), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,), (socket.SO_REUSEADDR, socket.SO_REUSEPORT)]
had = 0
for flips in reuse:
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        shared.setsockopt(socket.SOL_SOCKET, option, option in flips)
    try: shared.shutdown(socket.SHUT_RDWR)
    except OSError: pass
    for own in reuse:
        for host in ('127.0.0.1', '0.0.0.0'):
            thief = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
            for option in own: thief.setsockopt(socket.SOL_SOCKET, option, 1)
            try:
                thief.bind((host, port))
                if kind == 'tcp': thief.listen(5)
                had += 1
            except OSError: pass
            thief.close()
say(had); wait()`

async function thefts(kind: string, fd: OwnedFd): Promise<number> {
  const thief = startPython(THIEF, [kind, String(portOf(fd))], root ? NOBODY : undefined, [fd.fd])
  return Number(await thief.line())
}

describe.each([
  ['tcp', c.SOCK_STREAM, 1],
  ['udp', c.SOCK_DGRAM, 0],
] as const)('a %s port', (kind, type, reuseAddress) => {
  it('is stolen by a holder where it has no anchor, and not where it has one', async () => {
    expect(await thefts(kind, bare(type, reuseAddress))).toBeGreaterThan(0)
    expect(await thefts(kind, open(`${kind}://127.0.0.1:0`).fd)).toBe(0)
  })

  it('of the kernel’s choice is the anchor’s from the first moment', () => {
    const { address, anchor, fd } = open(`${kind}://127.0.0.1:0`)
    expect(portOf(anchor!)).toBe(portOf(fd))
    expect(address).toMatchObject({ port: portOf(fd) })
  })

  it('that another socket has is refused, whatever options that one has', () => {
    const first = open(`${kind}://127.0.0.1:0`)
    const again = () => open(`${kind}://127.0.0.1:${portOf(first.fd)}`)
    expect(again).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    setInt(first.fd.fd, c.SOL_SOCKET, c.SO_REUSEADDR, 1)
    expect(again).toThrow(new RegExp(`is in use by .* \\(pid ${process.pid}\\)`))
  })

  it('is taken over by a socket that replaces the former one: both are there, then the new one alone', () => {
    const first = open(`${kind}://127.0.0.1:0`)
    const second = open(`${kind}://127.0.0.1:${portOf(first.fd)}`, {}, first)
    first.close()
    expect(second.address).toEqual(first.address)
    expect(() => open(`${kind}://127.0.0.1:${portOf(second.fd)}`)).toThrow('EADDRINUSE')
  })

  it('is free again when the socket is closed', () => {
    const first = open(`${kind}://127.0.0.1:0`)
    first.close()
    open(`${kind}://127.0.0.1:${(first.address as { port: number }).port}`)
  })
})

describe.runIf(root)('root with SO_REUSEPORT, as nginx’s `reuseport` (needs root)', () => {
  const join = (port: number) => {
    const fd = new OwnedFd(addon.socket(c.AF_INET, c.SOCK_STREAM, 0))
    opened.push(fd)
    setInt(fd.fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)
    return addon.bind(fd.fd, c.AF_INET, '127.0.0.1', port) || addon.listen(fd.fd, 16)
  }

  it('shares a port that was bound by root with it, and not one that is the broker’s', () => {
    const shared = new OwnedFd(addon.socket(c.AF_INET, c.SOCK_STREAM, 0))
    opened.push(shared)
    setInt(shared.fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)
    addon.bind(shared.fd, c.AF_INET, '127.0.0.1', 0)
    addon.listen(shared.fd, 16)
    expect(join(portOf(shared))).toBe(0)
    expect(join(portOf(open('tcp://127.0.0.1:0').fd))).toBe(-c.errno.EADDRINUSE)
  })

  it('shares it where the configuration says reuse_port, in both orders; another user does not', async () => {
    const options = { reusePort: true }
    const socket = open('tcp://127.0.0.1:0', options)
    expect(join(portOf(socket.fd))).toBe(0)
    const late = open(`tcp://127.0.0.1:${portOf(socket.fd)}`, options)
    expect(portOf(late.fd)).toBe(portOf(socket.fd))
    expect(await thefts('tcp', late.fd)).toBe(0)
  })
})

describe('the anchor of a UDP port', () => {
  it('gets no datagram while the shared socket is there', () => {
    for (const host of ['127.0.0.1', '0.0.0.0']) {
      const { fd, anchor } = open(`udp://${host}:0`)
      const sender = new OwnedFd(addon.socket(c.AF_INET, c.SOCK_DGRAM, 0))
      opened.push(sender)
      for (let i = 0; i < 50; i++) addon.sendTo(sender.fd, Buffer.from('x'), null, c.AF_INET, '127.0.0.1', portOf(fd))
      expect(addon.poll(fd.fd, c.POLLIN)).toBe(c.POLLIN)
      expect(addon.poll(anchor!.fd, c.POLLIN)).toBe(0)
    }
  })

  it('is not made where the configuration shares the port: it would get datagrams', () => {
    expect(open('udp://127.0.0.1:0', { reusePort: true }).anchor).toBeUndefined()
    const raw = { sockopt: [{ level: c.SOL_SOCKET, name: c.SO_REUSEADDR, value: 1 }] }
    expect(open('udp://127.0.0.1:0', raw).anchor).toBeUndefined()
  })
})

it('a listener leaves the port to nobody between its shutdown and its next listen()', () => {
  const { fd } = open('tcp://127.0.0.1:0')
  const port = portOf(fd)
  addon.shutdown(fd.fd, c.SHUT_RDWR)
  expect(() => open(`tcp://127.0.0.1:${port}`)).toThrow('EADDRINUSE')
  expect(addon.listen(fd.fd, 16)).toBe(0)
  expect(portOf(fd)).toBe(port)
})

it('a listener that somebody else bound gets an anchor: a holder cannot take its port any more', async () => {
  const fd = bare(c.SOCK_STREAM, 1)
  const adopted = adoptSocket(fd.dup(), parseAddress(`tcp://127.0.0.1:${portOf(fd)}`), {}, 16)!
  opened.push(adopted)
  expect(await thefts('tcp', fd)).toBe(0)
})
