import { openSync } from 'node:fs'
import { expect, it } from 'vitest'
import { OwnedFd } from '../sys/index.ts'
import { checkSockets, receiveSockets, socketFault } from './received-sockets.ts'

const open = () => new OwnedFd(openSync('/dev/null', 'r'))
const socket = { type: 'tcp', address: 'tcp://127.0.0.1:1', backlog: 1, cookie: '1' } as const
const caught = (work: () => unknown) => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

it.each([
  ['too few descriptors', [socket, socket], 'PROTOCOL', 'sent 1 descriptors'],
  ['too many descriptors', [], 'PROTOCOL', 'sent 1 descriptors'],
  ['no list of sockets', undefined, 'PROTOCOL', 'sent 1 descriptors'],
  ['a text as long as the list', 'x', 'PROTOCOL', 'sent 1 descriptors'],
  ['what is no socket', [socket], 'SYSTEM', 'a wrong descriptor for tcp://127.0.0.1:1: it is not a socket ('],
])('an answer is refused, and its descriptors are closed: %s', (_what, sockets, code, words) => {
  const fd = open()
  const error = caught(() => checkSockets({ message: { sockets }, fds: [fd], fdsLost: false }))
  expect(error).toMatchObject({ code, message: expect.stringContaining(words) })
  expect(fd.closed).toBe(true)
})

it('a number that is closed is a fault, not an exception', () => {
  expect(socketFault(1_000_000, socket)).toMatch(/^it is not a socket \(.*EBADF/)
})

const spare = (room: boolean) => ({ keep: () => room, lend: (attempt: () => unknown) => attempt() }) as never

it.each([
  [true, 'a security module of the kernel refused them'],
  [false, 'RLIMIT_NOFILE'],
])('descriptors that are lost twice are SYSTEM; whether there is room for one (%s) tells why', async (room, words) => {
  const [first, second] = [open(), open()]
  const line = { request: async () => ({ message: {}, fds: [second], fdsLost: true }) } as never
  const receiving = receiveSockets({ message: {}, fds: [first], fdsLost: true }, line, spare(room), {})
  await expect(receiving).rejects.toMatchObject({ code: 'SYSTEM', message: expect.stringContaining(words) })
  expect([first.closed, second.closed]).toEqual([true, true])
})

it('descriptors that are lost once are asked for again: what came first is closed, what came then is taken', async () => {
  const first = open()
  const line = { request: async () => ({ message: { sockets: [] }, fds: [], fdsLost: false }) } as never
  const received = await receiveSockets({ message: {}, fds: [first], fdsLost: true }, line, spare(true), {})
  expect([received, first.closed]).toEqual([{ sockets: [], fds: [] }, true])
})
