import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../src/protocol/address.ts'
import type { SocketOptions } from '../../src/protocol/socket-options.ts'
import { endListener } from '../../src/sys/end-listener.ts'
import { lockFilter } from '../../src/sys/filter-lock.ts'
import { type BoundSocket, openSocket } from '../../src/sys/listen.ts'
import { openSuccessor } from '../../src/sys/replace-socket.ts'
import { ReuseGroup } from '../../src/sys/reuse-group.ts'
import { accepted } from '../support/accepted.ts'
import { atEnd } from '../support/cleanup.ts'
import { until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
const scratch = useScratch()

function open(address: string, options: SocketOptions = {}): BoundSocket {
  const socket = openSocket(parseAddress(address), options, 128)
  atEnd(() => socket.close())
  return socket
}

function succeed(old: BoundSocket, options: SocketOptions = {}) {
  const successor = openSuccessor(old, options, 128)
  atEnd(() => successor.socket.close())
  return successor
}

async function connect(count: number, to: net.NetConnectOpts): Promise<void> {
  for (let i = 0; i < count; i++) {
    const socket = net.connect(to)
    await once(socket, 'connect')
    atEnd(() => socket.destroy())
  }
}

describe.each([
  ['tcp://127.0.0.1:0', '127.0.0.1', false],
  ['tcp://[::1]:0', '::1', false],
  ['tcp://127.0.0.1:0', '127.0.0.1', true],
])('the successor of %s (%s; its filter locked: %s)', (address, host, locked) => {
  const openOld = () => {
    const old = open(address)
    if (locked) expect(lockFilter(old)).toBe(true)
    return old
  }

  it('gets no client before it takes over, and every client after', async () => {
    const old = openOld()
    const { port } = old.address as { port: number }
    const { socket, takeOver } = succeed(old)
    await connect(20, { host, port })
    expect([accepted(old.fd), accepted(socket.fd)]).toEqual([20, 0])
    takeOver().settle()
    await connect(20, { host, port })
    expect([accepted(old.fd), accepted(socket.fd)]).toEqual([0, 20])
  })

  /** Each the successor of the one before. */
  const openThree = () => {
    const old = openOld()
    const first = succeed(old)
    first.takeOver().settle()
    const second = succeed(first.socket)
    second.takeOver().settle()
    return { old, first: first.socket, second: second.socket, port: (old.address as { port: number }).port }
  }

  it('gets every client after the old one is shut, and so does its own successor', async () => {
    const { old, first, second, port } = openThree()
    await connect(10, { host, port })
    expect([accepted(old.fd), accepted(first.fd), accepted(second.fd)]).toEqual([0, 0, 10])
    endListener(old.fd.fd)
    ReuseGroup.of(old.fd).leave(old.fd)
    await connect(10, { host, port })
    expect([accepted(first.fd), accepted(second.fd)]).toEqual([0, 10])
    endListener(first.fd.fd)
    ReuseGroup.of(first.fd).leave(first.fd)
    await connect(10, { host, port })
    expect(accepted(second.fd)).toBe(10)
  })

  it('leaves every client to the old one when its taking over is undone, and so to the next successor', async () => {
    const old = openOld()
    const { port } = old.address as { port: number }
    const { socket, takeOver } = succeed(old)
    takeOver().undo()
    expect(socket.fd.closed).toBe(true)
    expect(ReuseGroup.of(old.fd).order).toEqual([old.fd])
    await connect(10, { host, port })
    expect(accepted(old.fd)).toBe(10)
    const next = succeed(old)
    next.takeOver().settle()
    ReuseGroup.of(old.fd).turnOthersAway()
    await connect(10, { host, port })
    expect([accepted(old.fd), accepted(next.socket.fd)]).toEqual([0, 10])
  })

  it('leaves every client to the middle one of three when it goes itself', async () => {
    const { old, first, second, port } = openThree()
    endListener(old.fd.fd)
    ReuseGroup.of(old.fd).leave(old.fd)
    endListener(second.fd.fd)
    ReuseGroup.of(second.fd).leave(second.fd)
    await connect(10, { host, port })
    expect(accepted(first.fd)).toBe(10)
    succeed(first).takeOver().settle()
  })

  it('has the others turned away though one of them was closed, and every client once that one has left', async () => {
    const { first, second, port } = openThree()
    first.close()
    ReuseGroup.of(second.fd).turnOthersAway()
    ReuseGroup.of(first.fd).leave(first.fd)
    await connect(10, { host, port })
    expect(accepted(second.fd)).toBe(10)
  })

  /** Clients that come when the first of three has ended, which moves the youngest to its place, where the program does not look for it yet. */
  async function comeInBetween(turnedAway: boolean) {
    const { old, first, second, port } = openThree()
    if (turnedAway) ReuseGroup.of(second.fd).turnOthersAway()
    endListener(old.fd.fd)
    const clients = Array.from({ length: 40 }, () => net.connect({ host, port }).on('error', () => {}))
    for (const client of clients) atEnd(() => client.destroy())
    await sleep(300)
    const early = accepted(second.fd)
    const astray = accepted(first.fd)
    ReuseGroup.of(old.fd).leave(old.fd)
    await until(() => clients.every(({ connecting }) => !connecting), 'those whose SYN was lost have sent another')
    return { early, astray, late: accepted(second.fd) }
  }

  it('loses no client who comes while an older one ends and the places of the others change', async () => {
    const unprotected = await comeInBetween(false)
    expect(unprotected.astray).toBeGreaterThan(0)
    const { early, astray, late } = await comeInBetween(true)
    expect(astray).toBe(0)
    expect(late).toBeGreaterThan(0)
    expect(early + late).toBe(40)
  })

  it('without steering, an old listener that nobody accepts from goes on taking its share', async () => {
    const old = open(address)
    const { port } = old.address as { port: number }
    const { socket } = succeed(old)
    ReuseGroup.of(old.fd).release()
    await connect(40, { host, port })
    const shares = [accepted(old.fd), accepted(socket.fd)]
    expect(shares[0]! + shares[1]!).toBe(40)
    expect(Math.min(...shares)).toBeGreaterThan(0)
  })
})

it.each([false, true])('one that IPv4 comes to no more gets all of IPv6 (its filter locked: %s)', async (locked) => {
  const old = open('tcp://[::]:0')
  const { port } = old.address as { port: number }
  if (locked) lockFilter(old)
  const { socket, takeOver } = succeed(old, { bindIpv6Only: 'ipv6-only' })
  takeOver().settle()
  const tries = Array.from({ length: 8 }, () => net.connect({ host: '127.0.0.1', port }).on('error', () => {}))
  atEnd(() => {
    for (const each of tries) each.destroy()
  })
  await connect(8, { host: '::1', port })
  expect([accepted(old.fd), accepted(socket.fd)]).toEqual([0, 8])
})

it('a listener that shares its port is not locked, which would bind us as well, before it is alone', () => {
  const old = open('tcp://127.0.0.1:0')
  const { socket, takeOver } = succeed(old)
  takeOver().settle()
  expect(lockFilter(socket)).toBe(false)
  endListener(old.fd.fd)
  ReuseGroup.of(old.fd).leave(old.fd)
  expect(lockFilter(socket)).toBe(true)
})

it('the successor of a Unix listener is there without a moment in which connect() fails, and the old queue stays', async () => {
  const path = scratch.at('web.sock')
  const old = open(`unix://${path}`)
  await connect(3, { path })
  const { socket, takeOver } = succeed(old)
  takeOver().settle()
  await connect(4, { path })
  expect([accepted(old.fd), accepted(socket.fd)]).toEqual([3, 4])
  old.close()
  await connect(1, { path })
  expect(accepted(socket.fd)).toBe(1)
})

it('a successor of a Unix listener that gives its path back leaves no name behind, nor does one that keeps it', async () => {
  const path = scratch.at('web.sock')
  const old = open(`unix://${path}`)
  succeed(old).takeOver().undo()
  await connect(2, { path })
  expect([accepted(old.fd), readdirSync(dirname(path))]).toEqual([2, ['web.sock']])
  succeed(old).takeOver().settle()
  expect(readdirSync(dirname(path))).toEqual(['web.sock'])
})

it('a successor takes a path that somebody has removed, and leaves none when that is undone', () => {
  const path = scratch.at('web.sock')
  const old = open(`unix://${path}`)
  const { takeOver } = succeed(old)
  rmSync(path)
  const { undo } = takeOver()
  expect(readdirSync(dirname(path))).toEqual(['web.sock'])
  undo()
  expect(readdirSync(dirname(path))).toEqual([])
})

it.each([
  ['a directory', (path: string) => mkdirSync(path)],
  ['a file', (path: string) => writeFileSync(path, 'mine')],
])(
  '%s that somebody has put in the place of a path is not taken, neither before nor after the successor is open',
  (what, put) => {
    const path = scratch.at('web.sock')
    const old = open(`unix://${path}`)
    const { socket, takeOver } = succeed(old)
    rmSync(path)
    put(path)
    expect(takeOver).toThrow(what === 'a file' ? 'is not a socket' : 'is a directory')
    socket.close()
    expect(() => succeed(old)).toThrow(what === 'a file' ? 'is not a socket' : 'is a directory')
    expect(readdirSync(dirname(path))).toEqual(['web.sock'])
  },
)

it('a successor that is given up leaves the old one as it was', async () => {
  const path = scratch.at('web.sock')
  const old = open(`unix://${path}`)
  succeed(old).socket.close()
  await connect(1, { path })
  expect(accepted(old.fd)).toBe(1)
})

it('an abstract name cannot have a second socket, and the error says so', () => {
  const old = open('unix://@fd-broker-test-successor')
  expect(() => openSuccessor(old, {}, 1)).toThrow('the kernel binds an abstract name once')
})
