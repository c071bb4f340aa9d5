import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../protocol/address.ts'
import { isIpv6Only } from './ipv6-only.ts'
import { type Claim, overlap, slot } from './overlap.ts'

const claim = (text: string, more: Partial<Claim> = {}): Claim => ({
  address: parseAddress(text),
  ipv6Only: false,
  ...more,
})
const meet = (a: Claim, b: Claim): boolean => slot(a) !== undefined && slot(a) === slot(b) && overlap(a, b)

describe('overlapping addresses', () => {
  it.each([
    ['tcp://0.0.0.0:80', 'tcp://127.0.0.1:80'],
    ['tcp://127.0.0.1:80', 'tcp://127.0.0.1:80'],
    ['udp://0.0.0.0:53', 'udp://0.0.0.0:53'],
    ['tcp://[::]:80', 'tcp://[::1]:80'],
    ['tcp://[::]:80', 'tcp://0.0.0.0:80'],
    ['tcp://[::]:80', 'tcp://127.0.0.1:80'],
    ['tcp://[::1]:80', 'tcp://[0:0:0:0:0:0:0:1]:80'],
    ['tcp://[::ffff:127.0.0.1]:80', 'tcp://127.0.0.1:80'],
    ['unix:///run/a', 'unix:///run/a'],
    ['unix:///run/a', 'unix-dgram:///run//./a'],
    ['unix://@a', 'unix://@a'],
    ['vsock://any:5', 'vsock://3:5'],
  ])('%s excludes %s, both ways', (a, b) => {
    expect(meet(claim(a), claim(b))).toBe(true)
    expect(meet(claim(b), claim(a))).toBe(true)
  })

  it.each([
    ['tcp://0.0.0.0:80', 'udp://0.0.0.0:80'],
    ['tcp://0.0.0.0:80', 'tcp://0.0.0.0:81'],
    ['tcp://127.0.0.1:80', 'tcp://127.0.0.2:80'],
    ['tcp://0.0.0.0:0', 'tcp://0.0.0.0:0'],
    ['tcp://[::1]:80', 'tcp://0.0.0.0:80'],
    ['tcp://[::1]:80', 'tcp://127.0.0.1:80'],
    ['tcp://[::1]:80', 'tcp://[::2]:80'],
    ['tcp://[fe80::1%eth0]:80', 'tcp://[fe80::1%eth1]:80'],
    ['unix:///run/a', 'unix:///run/b'],
    ['unix:///run/a', 'unix://@/run/a'],
    ['unix://@a', 'unix-dgram://@a'],
    ['vsock://2:5', 'vsock://3:5'],
  ])('%s stands beside %s', (a, b) => {
    expect(meet(claim(a), claim(b))).toBe(false)
    expect(meet(claim(b), claim(a))).toBe(false)
  })

  it('[::] stands beside 0.0.0.0 when it is V6ONLY', () => {
    expect(meet(claim('tcp://[::]:80', { ipv6Only: true }), claim('tcp://0.0.0.0:80'))).toBe(false)
  })

  it('two devices never meet, one device and all devices do', () => {
    const a = claim('tcp://0.0.0.0:80', { device: 'eth0' })
    expect(meet(a, claim('tcp://0.0.0.0:80', { device: 'eth1' }))).toBe(false)
    expect(meet(a, claim('tcp://0.0.0.0:80', { device: 'eth0' }))).toBe(true)
    expect(meet(a, claim('tcp://0.0.0.0:80'))).toBe(true)
  })

  it('is symmetric', () => {
    const host = fc.constantFrom('0.0.0.0', '127.0.0.1', '[::]', '[::1]', '[::ffff:127.0.0.1]')
    const any = fc.tuple(host, fc.boolean()).map(([name, ipv6Only]) => claim(`tcp://${name}:80`, { ipv6Only }))
    fc.assert(fc.property(any, any, (a, b) => void expect(overlap(a, b)).toBe(overlap(b, a))))
  })
})

describe('V6ONLY', () => {
  const six = parseAddress('tcp://[::]:80')

  it('is set when the name also lists an IPv4 address of that port and type', () => {
    expect(isIpv6Only(six, [six, parseAddress('tcp://127.0.0.1:80')], 'both')).toBe(true)
    expect(isIpv6Only(six, [six, parseAddress('tcp://0.0.0.0:81')], 'both')).toBe(false)
    expect(isIpv6Only(six, [six, parseAddress('udp://0.0.0.0:80')], 'both')).toBe(false)
  })

  it('else follows bind_ipv6_only', () => {
    expect(isIpv6Only(six, [six], 'both')).toBe(false)
    expect(isIpv6Only(six, [six], 'ipv6-only')).toBe(true)
    expect(isIpv6Only(parseAddress('tcp://0.0.0.0:80'), [], 'ipv6-only')).toBe(false)
  })
})
