import { describe, expect, it } from 'vitest'
import { config } from '../../../test/support/config-texts.ts'
import { optionsFor } from './options-for.ts'

function each(keys: string) {
  const name = config(`[sockets.a]\n${keys}`).names.get('a')!
  return name.addresses.map((address) => optionsFor(name, address))
}

describe('the options of one socket', () => {
  it('are those that its type takes', () => {
    const keys =
      'listen = ["tcp://127.0.0.1:1", "unix:///run/a"]\nno_delay = true\nsocket_mode = "0600"\nnon_blocking = true'
    expect(each(keys)).toEqual([
      { bindIpv6Only: 'both', noDelay: true, nonBlocking: true },
      { socketMode: 0o600, directoryMode: 0o755, nonBlocking: true },
    ])
  })

  it('make [::] V6ONLY only beside an IPv4 address of its port', () => {
    expect(each('listen = ["tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://[::]:2"]').map((own) => own.bindIpv6Only)).toEqual(
      ['both', 'ipv6-only', 'both'],
    )
  })
})
