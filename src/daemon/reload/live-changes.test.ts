import { describe, expect, it } from 'vitest'
import type { SocketOptions } from '../../protocol/socket-options.ts'
import { needsNewSocket } from './live-changes.ts'

const needs = (before: SocketOptions, after: SocketOptions) =>
  needsNewSocket({ options: before, backlog: 1 }, { options: after, backlog: 2 })

describe('whether options can be set on the socket that there is, when it is this that differs:', () => {
  it.each<[string, SocketOptions, SocketOptions, boolean]>([
    ['nothing but the backlog differs', { keepAlive: true }, { keepAlive: true }, true],
    ['an option comes', {}, { keepAlive: true }, true],
    ['an option goes that can be unset', { keepAlive: true }, {}, true],
    ['an option has another value', { receiveBuffer: 1 }, { receiveBuffer: 2 }, true],
    ['an option goes whose default nobody knows', { receiveBuffer: 1 }, {}, false],
    ['an option goes whose default is the system’s', { tcpCongestion: 'reno' }, {}, false],
    ['the mode of its path', { socketMode: 0o600 }, { socketMode: 0o660 }, true],
    ['the owner of its path goes', { socketUser: 7 }, {}, true],
    ['the mode of directories that are made later', { directoryMode: 0o700 }, { directoryMode: 0o755 }, true],
    ['V6ONLY', { bindIpv6Only: 'both' }, { bindIpv6Only: 'ipv6-only' }, false],
    ['raw options come', {}, { sockopt: [{ level: 6, name: 18, value: 1 }] }, false],
    [
      'raw options that are equal, in another object',
      { sockopt: [{ level: 6, name: 18, value: 1 }] },
      { sockopt: [{ level: 6, name: 18, value: 1 }] },
      true,
    ],
  ])('%s', (_, before, after, live) => {
    expect(needs(before, after)).toBe(!live)
  })
})
