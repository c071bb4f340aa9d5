import { describe, expect, it } from 'vitest'
import { type Address, formatAddress, parseAddress } from './address.ts'

const same: [string, Address][] = [
  ['tcp://0.0.0.0:80', { type: 'tcp', host: '0.0.0.0', port: 80, family: 4 }],
  ['tcp://[::]:80', { type: 'tcp', host: '::', port: 80, family: 6 }],
  ['tcp://[fe80::1%eth0]:80', { type: 'tcp', host: 'fe80::1', port: 80, family: 6, zone: 'eth0' }],
  ['udp://127.0.0.1:53', { type: 'udp', host: '127.0.0.1', port: 53, family: 4 }],
  ['udp://127.0.0.1:0', { type: 'udp', host: '127.0.0.1', port: 0, family: 4 }],
  ['unix:///run/x.sock', { type: 'unix', path: '/run/x.sock' }],
  ['unix://@name', { type: 'unix', path: '@name' }],
  ['unix-dgram:///p', { type: 'unix-dgram', path: '/p' }],
  ['unix-seqpacket:///p', { type: 'unix-seqpacket', path: '/p' }],
  ['vsock://any:1234', { type: 'vsock', cid: 'any', port: 1234 }],
  ['vsock://2:70000', { type: 'vsock', cid: 2, port: 70000 }],
]

describe('parseAddress', () => {
  it.each(same)('reads %s, and formatAddress writes it back', (text, address) => {
    expect(parseAddress(text)).toEqual(address)
    expect(formatAddress(address)).toBe(text)
  })

  it.each([
    ['[0:0:0:0:0:0:0:1]', '::1'],
    ['[0:0:0:0:0:0:0:0]', '::'],
    ['[2001:DB8:0:0:1:0:0:1]', '2001:db8::1:0:0:1'],
    ['[2001:db8:0:1:1:1:1:1]', '2001:db8:0:1:1:1:1:1'],
    ['[2001:0db8::0001]', '2001:db8::1'],
    ['[::ffff:127.0.0.1]', '::ffff:127.0.0.1'],
    ['[::ffff:7f00:1]', '::ffff:127.0.0.1'],
    ['[1:2:3:4:5:6:7::]', '1:2:3:4:5:6:7:0'],
    ['[64:ff9b::192.0.2.33]', '64:ff9b::c000:221'],
  ])('writes %s as RFC 5952 does', (host, canonical) => {
    expect(parseAddress(`tcp://${host}:1`)).toMatchObject({ host: canonical })
  })

  it.each([
    ['tcp://localhost:80', 'write the IP address'],
    ['tcp://127.1:80', 'write the IP address'],
    ['tcp://127.0.0.01:80', 'write the IP address'],
    ['tcp://256.0.0.1:80', 'write the IP address'],
    ['tcp://127.0.0.1', 'no host and port'],
    ['tcp://::1:80', 'no host and port'],
    ['tcp://127.0.0.1:65536', 'from 0 to 65535'],
    ['tcp://127.0.0.1:', 'from 0 to 65535'],
    ['tcp://127.0.0.1:+1', 'from 0 to 65535'],
    ['tcp://[1::2::3]:1', 'no IPv6 address'],
    ['tcp://[1:2:3]:1', 'no IPv6 address'],
    ['tcp://[:::]:1', 'no IPv6 address'],
    ['tcp://[12345::]:1', 'no IPv6 address'],
    ['tcp://[1.2.3.4::]:1', 'no IPv6 address'],
    ['tcp://[1:2:3:4:5:6:7:8::]:1', 'no IPv6 address'],
    ['tcp://[fe80::1%]:1', 'name of an interface'],
    ['tcp://[fe80::1%a%b]:1', 'name of an interface'],
    ['unix://run/x.sock', 'not absolute'],
    ['unix://', 'not absolute'],
    ['unix://@', 'name is missing'],
    ['unix:///run/', 'name is missing'],
    ['unix:///a\0b', 'NUL'],
    [`unix:///${'x'.repeat(107)}`, '108 bytes'],
    [`unix:///${'ä'.repeat(54)}`, '109 bytes'],
    ['vsock://host:1', 'context id'],
    ['vsock://2', 'context id and port'],
    ['http://127.0.0.1:80', 'missing or unknown'],
    ['127.0.0.1:80', 'missing or unknown'],
    ['', 'missing or unknown'],
  ])('refuses %j', (text, why) => {
    expect(() => parseAddress(text)).toThrow(why)
  })

  it('takes a path of 107 bytes', () => {
    expect(parseAddress(`unix:///${'x'.repeat(106)}`)).toMatchObject({ type: 'unix' })
  })
})
