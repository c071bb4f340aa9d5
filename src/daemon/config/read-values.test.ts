import { describe, expect, it } from 'vitest'
import { accounts, faults, nameFaults } from '../../../test/support/config-texts.ts'

describe('tables', () => {
  it.each([
    ['broker = 1', 'broker.toml:1:1: broker: must be a table; write [broker] and the keys below it'],
    ['[[sockets]]', 'broker.toml:1:3: sockets: must be a table; write [sockets.NAME] and the keys below it'],
    [
      'sockets.web = "tcp://127.0.0.1:1"',
      'broker.toml:1:9: sockets.web: must be a table; write [sockets.NAME] and the keys of the name below it',
    ],
    ['[sockets.web]', 'broker.toml:1:10: sockets.web: has no listen; add one, such as listen = "tcp://127.0.0.1:8080"'],
    ['tokens = 1', 'broker.toml:1:1: tokens: must be a table; write [tokens] and NAME = "sha256:…" below it'],
    ['colour = 1', 'broker.toml:1:1: colour: unknown key; a config has [broker], [sockets.NAME] and [tokens]'],
    [
      '[sockets."a:b"]\nlisten = "tcp://127.0.0.1:1"',
      'broker.toml:1:10: sockets."a:b": the name must begin with a letter or digit and hold only letters, digits and . _ @ / -; choose another',
    ],
    [
      '[sockets.12]\nlisten = "tcp://127.0.0.1:1"',
      'broker.toml:1:10: sockets.12: the name must not be all digits (that is a lease); choose another',
    ],
  ])('%j', (text, line) => expect(faults(text)).toEqual([line]))
})

describe('[broker]', () => {
  it.each([
    ['control = "x.sock"', 'control: "x.sock" is not an absolute path; write one that begins with "/"'],
    [
      `control = "/${'x'.repeat(107)}"`,
      'control: the path has 108 bytes; write at most 107 (the kernel’s limit for a Unix socket)',
    ],
    ['control_mode = 666', 'control_mode: 666 is not a file mode; write four octal digits in quotes, such as "0660"'],
    [
      'control_mode = "0999"',
      'control_mode: "0999" is not a file mode; write four octal digits in quotes, such as "0660"',
    ],
    ['admins = "user:root"', 'admins: "user:root" is not a list; write ["…"] with a rule in each'],
    ['viewers = [1]', 'viewers[0]: 1 is not a rule; write it in quotes'],
    [
      'max_requests_per_uid = 0',
      'max_requests_per_uid: 0 is out of range; write a number from 1 to 1000000 (more than any broker answers)',
    ],
    [
      'max_connections_per_uid = "9"',
      'max_connections_per_uid: "9" is not a whole number; write one from 1 to 65536, without quotes',
    ],
    ['user = "fd-broker"', 'user: there is no user fd-broker: create it, for instance with useradd --system fd-broker'],
    [
      'metrics = "tcp://0.0.0.0:9464"',
      'metrics: "tcp://0.0.0.0:9464" can be reached from other hosts; write "tcp://127.0.0.1:9464" or "unix:///run/fd-broker/metrics.sock", and let a proxy ask who reads',
    ],
    [
      'metrics = "tcp://[::]:9464"',
      'metrics: "tcp://[::]:9464" can be reached from other hosts; write "tcp://127.0.0.1:9464" or "unix:///run/fd-broker/metrics.sock", and let a proxy ask who reads',
    ],
    [
      'metrics = "unix://@metrics"',
      'metrics: "unix://@metrics" is not an address for metrics; write "tcp://127.0.0.1:9464" or "unix:///run/fd-broker/metrics.sock"',
    ],
    [
      'metrics = "udp://127.0.0.1:9464"',
      'metrics: "udp://127.0.0.1:9464" is not an address for metrics; write "tcp://127.0.0.1:9464" or "unix:///run/fd-broker/metrics.sock"',
    ],
  ])('%s', (key, message) => {
    expect(faults(`[broker]\n${key}`)[0]).toMatch(/^broker\.toml:2:\d+: /)
    expect(faults(`[broker]\n${key}`).map((line) => line.replace(/^broker\.toml:2:\d+: broker\./, ''))).toEqual([
      message,
    ])
  })

  it('needs `control` where a user has no XDG_RUNTIME_DIR', () => {
    const line = 'broker.toml: broker.control: has no default without XDG_RUNTIME_DIR; set control = "/…/control.sock"'
    expect(faults('', { uid: 1000, accounts })).toEqual([line])
    expect(faults('[broker]\ncontrol = "/tmp/c"', { uid: 1000, accounts })).toEqual([])
  })

  it('refuses an XDG_RUNTIME_DIR that cannot hold a socket', () => {
    expect(faults('', { uid: 1000, accounts, runtimeDir: 'run' })).toEqual([
      'broker.toml: broker.control: XDG_RUNTIME_DIR gives "run/fd-broker/control.sock", which is no absolute path of at most 107 bytes; set control',
    ])
  })
})

describe('values', () => {
  it.each([
    ['ready_timeout = 30', 'ready_timeout: 30 has no unit; write "30s" or "30ms"'],
    [
      'ready_timeout = "30"',
      'ready_timeout: "30" is not a duration; write a whole number and ms, s, m or h, such as "30s"',
    ],
    [
      'ready_timeout = "0s"',
      'ready_timeout: "0s" is out of range; write 1ms to 596h (a timer counts milliseconds in 31 bits)',
    ],
    [
      'drain_timeout = "597h"',
      'drain_timeout: "597h" is out of range; write 0s to 596h (a timer counts milliseconds in 31 bits)',
    ],
    ['keep_alive_time = "1500ms"', 'keep_alive_time: is too fine; write whole seconds (the kernel counts them)'],
    [
      'receive_buffer = "1.5M"',
      'receive_buffer: "1.5M" is not a size; write bytes or a number and K, M or G, such as "256K"',
    ],
    [
      'send_buffer = "1G"',
      'send_buffer: "1G" is out of range; write 1 to 1073741823 (the kernel doubles it and counts in 31 bits)',
    ],
    ['mode = "Shared"', 'mode: "Shared" is not one of the choices; write "shared" or "exclusive"'],
    ['guard = "yes"', 'guard: "yes" is not a boolean; write true or false'],
    ['backlog = 1.5', 'backlog: 1.5 is not a whole number; write one from 1 to 2147483647, without quotes'],
    [
      'bind_to_device = "averyveryverylongname"',
      'bind_to_device: "averyveryverylongname" is not the name of an interface; write at most 15 characters, as `ip link` shows it',
    ],
    ['allow = "any"', 'allow: "any" is not a list; write ["…"] with a rule in each'],
    [
      'allow = ["token:x user:root"]',
      'allow[0]: there is no token "x"; add it to [tokens]; `fd-broker token new x` makes it',
    ],
    ['allow = [""]', 'allow[0]: the rule is empty: name a condition, such as user:www-data or any'],
    [
      'sockopt = [{ level = 6 }]',
      'sockopt: entry 0 is not a raw option; write { level = 6, name = 18, value = 30000 } with integers of the kernel’s headers',
    ],
    ['max_holders = nan', 'max_holders: NaN is not a whole number; write one from 1 to 1000000, without quotes'],
    [
      'max_generations = 2026-01-01',
      'max_generations: a date is not a whole number; write one from 1 to 64, without quotes',
    ],
  ])('%s', (key, message) => expect(nameFaults(key)).toEqual([message]))

  it.each([
    ['listen = []', 'listen: is empty; write at least one address, such as "tcp://127.0.0.1:8080"'],
    ['listen = 80', 'listen: 80 is not an address; write one in quotes, such as "tcp://127.0.0.1:8080"'],
  ])('%s', (listen, message) => expect(nameFaults('', listen)).toEqual([message]))

  it('a bad address is told under its own index', () => {
    expect(faults('[sockets.a]\nlisten = ["tcp://127.0.0.1:80",\n"gopher://x"]')[0]).toMatch(
      /^broker\.toml:3:1: sockets\.a\.listen\[1\]: /,
    )
    expect(faults('[sockets.a]\nlisten = "gopher://x"')[0]).toMatch(/^broker\.toml:2:1: sockets\.a\.listen: /)
  })
})
