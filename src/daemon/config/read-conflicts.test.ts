import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { asRoot, faults, nameFaults } from '../../../test/support/config-texts.ts'
import { type ConfigEnv, loadableCongestionControls } from './config-env.ts'

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
    const tail = 'only one can own it: remove one, or give one another port'
    expect(faults(text)).toEqual([
      `broker.toml:4:11: sockets."b/c".listen[0]: "tcp://127.0.0.1:80" overlaps "tcp://0.0.0.0:80" of sockets.a (line 2); ${tail}`,
      `broker.toml:6:1: sockets.d.listen: "tcp://[::]:80" overlaps "tcp://0.0.0.0:80" of sockets.a (line 2); ${tail}`,
      `broker.toml:8:1: sockets.e.listen: "tcp://0.0.0.0:80" is also an address of sockets.a (line 2); ${tail}`,
    ])
  })

  it('a name and the control socket', () => {
    expect(faults('[broker]\ncontrol = "/run/c"\n[sockets.a]\nlisten = "unix:///run/c"')).toEqual([
      'broker.toml:4:1: sockets.a.listen: "unix:///run/c" is also an address of broker.control (line 2); only one can own it: remove one, or give one another path',
    ])
  })

  it('the metrics and the control socket, or a name', () => {
    expect(faults('[broker]\ncontrol = "/run/c"\nmetrics = "unix:///run/c"')).toEqual([
      'broker.toml:3:1: broker.metrics: "unix:///run/c" is also an address of broker.control (line 2); only one can own it: remove one, or give one another path',
    ])
    expect(
      faults(`[broker]
metrics = "tcp://127.0.0.1:9464"
[sockets.a]
listen = ["tcp://0.0.0.0:9464"]
[sockets.b]
listen = ["tcp://127.0.0.2:9464", "udp://127.0.0.1:9464"]`),
    ).toEqual([
      'broker.toml:4:11: sockets.a.listen[0]: "tcp://0.0.0.0:9464" overlaps "tcp://127.0.0.1:9464" of broker.metrics (line 2); only one can own it: remove one, or give one another port',
      'broker.toml:6:11: sockets.b.listen[0]: "tcp://127.0.0.2:9464" overlaps "tcp://0.0.0.0:9464" of sockets.a (line 4); only one can own it: remove one, or give one another port',
    ])
  })

  it.each(['socket_mode = "0660"', 'socket_user = "root"', 'socket_group = 4', 'directory_mode = "0700"'])(
    '%s and names that are no files',
    (option) => {
      const [key] = option.split(' ')
      const complaint = `${key}: an abstract name is no file and cannot take it, only a path can; remove it`
      expect(nameFaults(option, 'listen = ["unix://@a", "unix-dgram://@b", "tcp://127.0.0.1:1"]')).toEqual([complaint])
      expect(nameFaults(option, 'listen = ["unix://@a", "unix:///run/a"]')).toEqual([])
    },
  )

  it('a link-local address and no interface', () => {
    const complaint = (at: string, zoned: string) =>
      `listen: ${JSON.stringify(at)} is link-local and may be on any interface; write its interface too, such as ${JSON.stringify(zoned)}`
    const refused = [
      ['tcp://[fe80::1]:80', 'tcp://[fe80::1%eth0]:80'],
      ['tcp://[febf::1]:80', 'tcp://[febf::1%eth0]:80'],
      ['udp://[ff02::fb]:5353', 'udp://[ff02::fb%eth0]:5353'],
      ['udp://[ff11::1]:1', 'udp://[ff11::1%eth0]:1'],
    ] as const
    for (const [at, zoned] of refused) {
      expect(nameFaults('', `listen = ${JSON.stringify(at)}`)).toEqual([complaint(at, zoned)])
      expect(nameFaults('', `listen = ${JSON.stringify(zoned)}`)).toEqual([])
      expect(nameFaults('bind_to_device = "eth0"', `listen = ${JSON.stringify(at)}`)).toEqual([])
    }
    for (const at of ['tcp://[fec0::1]:80', 'udp://[ff05::1]:1', 'tcp://[::1]:80', 'tcp://[fd00::1]:80'])
      expect(nameFaults('', `listen = ${JSON.stringify(at)}`)).toEqual([])
  })

  it('a congestion control and a kernel that has it neither built in nor in a module', () => {
    const env = { ...asRoot, congestionControls: () => ({ available: ['reno', 'cubic'], loadable: ['bbr'] }) }
    const told = (name: string, where: ConfigEnv = env) =>
      faults(`[sockets.web]\nlisten = "tcp://127.0.0.1:80"\ntcp_congestion = "${name}"`, where)
    for (const name of ['reno', 'cubic', 'bbr']) expect(told(name)).toEqual([])
    expect(told('nosuch')).toEqual([
      'broker.toml:3:1: sockets.web.tcp_congestion: this kernel has no congestion control "nosuch"; write one of reno, cubic',
    ])
    expect(told('nosuch', asRoot)).toEqual([])
    expect(told('nosuch', { ...asRoot, congestionControls: () => undefined })).toEqual([])
  })
})

it('finds the congestion controls in a list of modules', () => {
  const dep = `kernel/net/ipv4/tcp_bbr.ko.xz:
kernel/net/ipv4/tcp_cubic.ko: kernel/lib/x.ko
kernel/net/ipv4/ip_tcp_no.ko.zst: kernel/net/ipv4/tcp_vegas.ko.zst`
  const file = join(mkdtempSync(join(tmpdir(), 'modules-')), 'modules.dep')
  writeFileSync(file, dep)
  expect(loadableCongestionControls(file)).toEqual(['bbr', 'cubic'])
  expect(loadableCongestionControls('/nonexistent')).toEqual([])
  rmSync(dirname(file), { recursive: true })
})
