import { expect, it } from 'vitest'
import { matchSockets } from './match-sockets.ts'

const socket = (address: string, cookie: string) => ({ type: address.split(':')[0]!, address, backlog: 1, cookie })
const a = socket('tcp://127.0.0.1:1', 'a')
const b = socket('tcp://127.0.0.1:2', 'b')
const u = socket('unix:///run/u', 'u')

it.each([
  ['the same sockets', [a, b], [a, b], [0, 1]],
  ['another order', [a, b], [b, a], [1, 0]],
  ['a new socket at the same address', [a, b], [a, { ...b, cookie: 'c' }], [0, 1]],
  ['another address of the same kind', [a], [socket('tcp://127.0.0.1:9', 'x')], [0]],
  ['one more', [a], [b, a], [undefined, 0]],
  ['one less', [a, b], [b], [1]],
  ['another kind', [a], [u], [undefined]],
  [
    'a datagram socket of the other family',
    [socket('udp://1.2.3.4:5', 'x')],
    [socket('udp://[::1]:5', 'y')],
    [undefined],
  ],
  [
    'the same address rather than the same place',
    [a, b],
    [
      { ...b, cookie: 'c' },
      { ...a, cookie: 'd' },
    ],
    [1, 0],
  ],
])('finds whom each socket succeeds: %s', (_what, former, next, places) => {
  expect(matchSockets(former, next)).toEqual(places)
})
