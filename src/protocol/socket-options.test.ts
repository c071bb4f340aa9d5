import { expect, it } from 'vitest'
import { socketOptionApplies } from './socket-options.ts'

it.each([
  ['backlog', 'udp', false],
  ['backlog', 'unix', true],
  ['noDelay', 'tcp', true],
  ['noDelay', 'unix', false],
  ['socketMode', 'unix-dgram', true],
  ['socketMode', 'tcp', false],
  ['broadcast', 'udp', true],
  ['receiveBuffer', 'vsock', true],
] as const)('%s on %s: %s', (key, type, applies) => {
  expect(socketOptionApplies(key, type)).toBe(applies)
})
