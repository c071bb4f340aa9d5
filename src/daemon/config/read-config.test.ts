import { describe, expect, it } from 'vitest'
import { asUser, config, faults } from '../../../test/support/config-texts.ts'

describe('a good config', () => {
  it('has every default when it says only what is needed', () => {
    const { broker, names, file } = config('[sockets.web]\nlisten = "tcp://127.0.0.1:80"\nallow = ["user:www-data"]')
    expect(file).toBe('broker.toml')
    expect(broker).toEqual({
      control: '/run/fd-broker/control.sock',
      controlMode: 0o666,
      admins: [[{ kind: 'user', uid: 0 }]],
      viewers: [],
      stateDir: '/run/fd-broker',
      helloTimeout: 5000,
      reclaimTimeout: 10_000,
      maxConnectionsPerUid: 1024,
      maxRequestsPerUid: 2000,
    })
    expect(names.get('web')).toMatchObject({
      core: {
        name: 'web',
        mode: 'shared',
        rules: [[{ kind: 'user', uid: 33 }]],
        quorum: 1,
        maxGenerations: 4,
        maxHolders: 1024,
        maxDraining: 1024,
        readyTimeout: 60_000,
        drainTimeout: 30_000,
        onDrainTimeout: 'keep',
        promoteTimeout: 300_000,
      },
      addresses: [{ type: 'tcp', host: '127.0.0.1', port: 80, family: 4 }],
      backlog: 4096,
      idleGrace: 5000,
      guard: true,
    })
    expect(names.get('web')).not.toHaveProperty('nonBlocking')
    expect(names.get('web')?.core).not.toHaveProperty('watchdog')
  })

  it('has its control socket in XDG_RUNTIME_DIR for a user, who is admin beside root', () => {
    const { broker } = config('', asUser)
    expect(broker.control).toBe('/run/user/1000/fd-broker/control.sock')
    expect(broker.stateDir).toBe('/run/user/1000/fd-broker')
    expect(broker.admins).toEqual([[{ kind: 'user', uid: 0 }], [{ kind: 'user', uid: 1000 }]])
  })

  it('keeps names and addresses in the order of the file', () => {
    const text =
      '[sockets."b/b"]\nlisten = ["tcp://127.0.0.1:2", "tcp://127.0.0.1:1"]\n[sockets.constructor]\nlisten = "unix:///run/a"'
    const { names } = config(text)
    expect([...names.keys()]).toEqual(['b/b', 'constructor'])
    expect(names.get('b/b')?.addresses.map((address) => 'port' in address && address.port)).toEqual([2, 1])
  })

  it('takes 0.0.0.0 and [::] of one port in one name', () => {
    expect(faults('[sockets.web]\nlisten = ["tcp://0.0.0.0:80", "tcp://[::]:80"]')).toEqual([])
  })

  it('resolves the owner of a socket file by name and by number', () => {
    const { names } = config(
      '[sockets.a]\nlisten = "unix:///run/a"\nsocket_user = "www-data"\nsocket_group = 7\nsocket_mode = "0600"',
    )
    expect(names.get('a')?.options).toEqual({
      socketUser: 33,
      socketGroup: 7,
      socketMode: 0o600,
      directoryMode: 0o755,
    })
  })

  it('gives options to the kernel in its own units', () => {
    const text =
      'keep_alive_time = "2m"\nreceive_buffer = "256K"\nip_tos = "low-delay"\nsockopt = [{ level = 6, name = 13, value = "bbr" }]'
    expect(config(`[sockets.a]\nlisten = "tcp://127.0.0.1:1"\n${text}`).names.get('a')?.options).toEqual({
      bindIpv6Only: 'both',
      keepAliveTime: 120,
      receiveBuffer: 262_144,
      ipTos: 16,
      sockopt: [{ level: 6, name: 13, value: new Uint8Array([98, 98, 114]) }],
    })
  })

  it('takes every key of a name that is the broker’s own', () => {
    const text =
      'guard = false\nnon_blocking = true\nwatchdog = "30s"\nidle_grace = "0s"\nmax_draining = 2\non_drain_timeout = "kill"'
    expect(config(`[sockets.a]\nlisten = "tcp://127.0.0.1:1"\n${text}`).names.get('a')).toMatchObject({
      core: { watchdog: 30_000, maxDraining: 2, onDrainTimeout: 'kill' },
      guard: false,
      nonBlocking: true,
      idleGrace: 0,
    })
  })
})

describe('all faults are told at once', () => {
  it('with their lines, in the order of the file', () => {
    const text = `[broker]
controll = "/x"
hello_timeout = 5

[sockets.web]
listen = [
  "tcp://127.0.0.1:80",
  7,
]
backlg = 100
allow = ["user:root", # first
         "user:nobody-here"]

[sockets.web.extra]

[sokets]
`
    expect(faults(text)).toEqual([
      'broker.toml:2:1: broker.controll: unknown key; did you mean "control"?',
      'broker.toml:3:1: broker.hello_timeout: 5 has no unit; write "5s" or "5ms"',
      'broker.toml:8:3: sockets.web.listen[1]: 7 is not an address; write one in quotes, such as "tcp://127.0.0.1:8080"',
      'broker.toml:10:1: sockets.web.backlg: unknown key; did you mean "backlog"?',
      'broker.toml:12:10: sockets.web.allow[1]: there is no user nobody-here: create it, or name a uid',
      'broker.toml:14:14: sockets.web.extra: unknown key; a name with a dot is quoted: [sockets."web.extra"]; else remove it; docs/configuration.md lists the keys',
      'broker.toml:16:2: sokets: unknown key; did you mean "sockets"?',
    ])
  })

  it('except a syntax error, which stands alone with a frame', () => {
    expect(faults('[broker]\ncontrol = "/x\nhello_timeout = 5\n')).toEqual([
      'broker.toml:2:14: control characters are not allowed in strings (TOML syntax)',
      '1:  [broker]',
      '2:  control = "/x',
      '                 ^',
      '3:  hello_timeout = 5',
    ])
  })

  it('and cannot forge a line of output or steer a terminal', () => {
    const lines = faults('[sockets."x\\nbroker.toml: ok\\u001b[2J\\u009b"]\nlisten = "tcp://127.0.0.1:1"')
    expect(lines).toHaveLength(1)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it proves that there are none
    expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
  })

  it('does not trip over the names of Object.prototype', () => {
    expect(
      faults('__proto__ = 1\n[broker]\nconstructor = 1\n[sockets.a]\nlisten="tcp://127.0.0.1:1"\ntoString = 1'),
    ).toHaveLength(3)
  })
})
