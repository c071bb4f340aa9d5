import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { parseAddress, type SocketType } from '../../src/protocol/address.ts'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { socketFigures, unixState } from '../../src/sys/figures.ts'
import { openSocket } from '../../src/sys/listen.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
const scratch = useScratch()

/** Recv-Q and Send-Q of the socket, as ss prints them. */
function ss(needle: string): [number, number] {
  const lines = execFileSync('ss', ['-alxtunH'], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }).split('\n')
  const line = lines.find((one) => one.includes(needle) && /LISTEN|UNCONN/.test(one))
  const [, , receive, send] = line!.trim().split(/\s+/)
  return [Number(receive), Number(send)]
}

function client(type: number, family: number, text: string, port: number): OwnedFd {
  const fd = new OwnedFd(addon.socket(family, type | c.SOCK_NONBLOCK, 0))
  addon.connect(fd.fd, family, text, port)
  return fd
}

describe('socketFigures', () => {
  it('of a TCP listener are its accept queue and limit, as ss has them, and the drops beyond', async () => {
    const socket = openSocket(parseAddress('tcp://127.0.0.1:0'), {}, 3)
    const { port } = socket.address as { port: number }
    const clients = Array.from({ length: 2 }, () => client(c.SOCK_STREAM, c.AF_INET, '127.0.0.1', port))
    expect(socketFigures(socket.fd.fd, 'tcp')).toEqual({ queue: 2, limit: 3, drops: 0 })
    expect(ss(`127.0.0.1:${port} `)).toEqual([2, 3])
    for (let i = 0; i < 6; i++) clients.push(client(c.SOCK_STREAM, c.AF_INET, '127.0.0.1', port))
    const full = socketFigures(socket.fd.fd, 'tcp')
    expect(full).toMatchObject({ queue: 4, limit: 3 })
    expect(full.drops).toBeGreaterThan(0)
    for (const one of clients) one.close()
    socket.close()
  })

  it.each<[SocketType, number]>([
    ['unix', c.SOCK_STREAM],
    ['unix-seqpacket', c.SOCK_SEQPACKET],
  ])('of a %s listener are its accept queue and limit, as ss has them', (type, kind) => {
    const path = scratch.at('s')
    const socket = openSocket(parseAddress(`${type}://${path}`), {}, 5)
    const clients = Array.from({ length: 4 }, () => client(kind, c.AF_UNIX, path, 0))
    expect(socketFigures(socket.fd.fd, type)).toEqual({ queue: 4, limit: 5, drops: 0 })
    expect(ss(path)).toEqual([4, 5])
    for (const one of clients) one.close()
    socket.close()
  })

  it('of a UDP socket are bytes of memory and the datagrams that did not fit', () => {
    const socket = openSocket(parseAddress('udp://127.0.0.1:0'), { receiveBuffer: 4096 }, 0)
    const { port } = socket.address as { port: number }
    const sender = client(c.SOCK_DGRAM, c.AF_INET, '127.0.0.1', port)
    for (let i = 0; i < 100; i++) addon.send(sender.fd, new Uint8Array(500), null)
    const figures = socketFigures(socket.fd.fd, 'udp')
    expect(figures.limit).toBe(8192)
    expect(figures.queue).toBe(ss(`127.0.0.1:${port} `)[0])
    expect(figures.queue).toBeGreaterThan(500)
    expect(figures.drops).toBeGreaterThan(50)
    sender.close()
    socket.close()
  })

  it('of a unix-dgram socket are what ss shows', () => {
    const path = scratch.at('s')
    const socket = openSocket(parseAddress(`unix-dgram://${path}`), {}, 0)
    const sender = new OwnedFd(addon.socket(c.AF_UNIX, c.SOCK_DGRAM, 0))
    for (let i = 0; i < 3; i++) addon.sendTo(sender.fd, new Uint8Array(100), null, c.AF_UNIX, path, 0)
    const figures = socketFigures(socket.fd.fd, 'unix-dgram')
    expect(figures.queue).toBe(ss(path)[0])
    expect(figures.queue).toBeGreaterThan(0)
    expect(figures.limit).toBeNull()
    sender.close()
    socket.close()
  })
})

it('unixState tells that a listener was shut, which nothing else does', () => {
  const socket = openSocket(parseAddress(`unix://${scratch.at('s')}`), {}, 5)
  expect(unixState(socket.fd.fd)?.shutdown).toBe(0)
  addon.shutdown(socket.fd.fd, c.SHUT_RDWR)
  expect(unixState(socket.fd.fd)?.shutdown).toBe(3)
  socket.close()
})
