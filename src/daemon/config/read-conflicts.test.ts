import { describe, expect, it } from 'vitest'
import { faults, nameFaults } from '../../../test/support/config-texts.ts'

describe('what does not go together', () => {
  it('exclusive and a quorum', () => {
    expect(nameFaults('mode = "exclusive"\nquorum = 2')).toEqual([
      'quorum: 2 leases can never be ready in mode "exclusive"; set 1, or mode = "shared"',
    ])
  })

  it('a quorum above max_holders', () => {
    expect(nameFaults('max_holders = 2\nquorum = 3')).toEqual([
      'quorum: 3 is more than max_holders (2), so no generation could become current; lower it',
    ])
  })

  it('an option and a socket type that cannot take it', () => {
    expect(nameFaults('no_delay = true', 'listen = "unix:///run/a"')).toEqual([
      'no_delay: a unix socket cannot take it, only tcp can; remove it',
    ])
    expect(nameFaults('socket_mode = "0600"')).toEqual([
      'socket_mode: a tcp socket cannot take it, only unix, unix-dgram, unix-seqpacket can; remove it',
    ])
  })

  it('a backlog and a socket that has no queue of connections', () => {
    expect(nameFaults('backlog = 5', 'listen = "udp://127.0.0.1:80"')).toEqual([
      'backlog: a udp socket cannot take it, only tcp, unix, unix-seqpacket, vsock can; remove it',
    ])
  })

  it('but an option may be for some of the sockets of a name', () => {
    expect(
      nameFaults('no_delay = true\nsocket_mode = "0600"', 'listen = ["tcp://127.0.0.1:80", "unix:///run/a"]'),
    ).toEqual([])
  })

  it('accounts that do not exist', () => {
    expect(nameFaults('socket_user = "ghost"\nsocket_group = "ghosts"', 'listen = "unix:///run/a"')).toEqual([
      'socket_user: no user "ghost" on this host; create it, or write a number',
      'socket_group: no group "ghosts" on this host; create it, or write a number',
    ])
    expect(nameFaults('socket_user = 4294967295', 'listen = "unix:///run/a"')).toEqual([
      'socket_user: 4294967295 is no user id; write one below 4294967295',
    ])
  })

  it('one address twice, and overlapping addresses of one name', () => {
    expect(faults('[sockets.a]\nlisten = ["tcp://127.0.0.1:80",\n"tcp://127.0.0.1:80", "tcp://0.0.0.0:80"]')).toEqual([
      'broker.toml:3:1: sockets.a.listen[1]: "tcp://127.0.0.1:80" is listed twice (line 2); remove one',
      'broker.toml:3:23: sockets.a.listen[2]: "tcp://0.0.0.0:80" overlaps "tcp://127.0.0.1:80" of the same name (line 2); remove one',
    ])
  })

  it('overlapping addresses of two names, naming both', () => {
    const text = `[sockets.a]
listen = "tcp://0.0.0.0:80"
[sockets."b/c"]
listen = ["tcp://127.0.0.1:80"]
[sockets.d]
listen = "tcp://[::]:80"
[sockets.e]
listen = "tcp://0.0.0.0:80"
`
    const tail = 'only one name can own it: remove one, or give one another port'
    expect(faults(text)).toEqual([
      `broker.toml:4:11: sockets."b/c".listen[0]: "tcp://127.0.0.1:80" overlaps "tcp://0.0.0.0:80" of sockets.a (line 2); ${tail}`,
      `broker.toml:6:1: sockets.d.listen: "tcp://[::]:80" overlaps "tcp://0.0.0.0:80" of sockets.a (line 2); ${tail}`,
      `broker.toml:8:1: sockets.e.listen: "tcp://0.0.0.0:80" is also an address of sockets.a (line 2); ${tail}`,
    ])
  })

  it('a name and the control socket', () => {
    expect(faults('[broker]\ncontrol = "/run/c"\n[sockets.a]\nlisten = "unix:///run/c"')).toEqual([
      'broker.toml:4:1: sockets.a.listen: "unix:///run/c" is also an address of broker (line 2); only one name can own it: remove one, or give one another path',
    ])
  })
})
