import { openSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { OwnedFd } from '../../src/sys/index.ts'
import { startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { array, bin, ext, fixext, float64, int, map, NIL, packet, rawStr, str } from '../support/msgpack.ts'
import { seeded } from '../support/random.ts'
import { RawClient, requestBytes } from '../support/raw-client.ts'

forbidLeaks()

const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:root"]'
const ID7: [readonly number[], readonly number[]] = [str('id'), int(7)]
const LIST: [readonly number[], readonly number[]] = [str('op'), str('list')]
const nested = (depth: number) =>
  Array.from({ length: depth }).reduce<readonly number[]>((inner) => array([inner]), NIL)

const MALFORMED: [string, Uint8Array][] = [
  ['an extension type', packet(map([ID7, LIST, [str('x'), ext(1, [0])]]))],
  ['a fixed extension type before the id', packet(map([[str('x'), fixext(1, [0])], LIST, ID7]))],
  ['a msgpackr record', packet(map([ID7, LIST, [str('x'), fixext(0x72, [0])]]))],
  ['binary data', packet(map([ID7, LIST, [str('x'), bin([1])]]))],
  ['trailing bytes', packet(map([ID7, LIST]), NIL)],
  ['a duplicate key', packet(map([ID7, LIST, [str('op', 8), str('stats')]]))],
  ['invalid UTF-8', packet(map([ID7, LIST, [str('x'), rawStr([0xc0, 0xaf])]]))],
  ['a NUL in a string', packet(map([ID7, LIST, [str('x'), str('a\0b')]]))],
  ['a key that is not a string', packet(map([ID7, LIST, [int(1), NIL]]))],
  ['nesting deeper than 6', packet(map([ID7, LIST, [str('x'), nested(6)]]))],
  ['a length that is not there', packet(map([ID7, LIST, [str('x'), array([], 32, 0xffff_ffff)]]))],
  ['more than 16 KiB', packet(map([ID7, LIST, [str('x'), str('x'.repeat(16_400))]]))],
]

const NO_ID: [string, Uint8Array][] = [
  ['no map', packet(array([int(7)]))],
  ['no id', packet(map([LIST]))],
  ['an id that is a string', packet(map([[str('id'), str('7')], LIST]))],
  ['an id that is a float', packet(map([[str('id'), float64(7)], LIST]))],
  ['an id over 32 bits', packet(map([[str('id'), int(2n ** 32n)], LIST]))],
  ['a negative id', packet(map([[str('id'), int(-1)], LIST]))],
  ['an empty packet', new Uint8Array(0)],
]

describe('a malformed packet', () => {
  it.each(MALFORMED)('with %s is answered PROTOCOL, and the connection closed', async (_, bytes) => {
    const { control } = await startDaemon({ sockets: WEB })
    const client = new RawClient(control)
    await client.hello()
    client.send(bytes)
    expect((await client.next()).message).toMatchObject({ id: 7, ok: false, code: 'PROTOCOL' })
    expect(await client.ended()).toBe(true)
  })

  it.each(NO_ID)('with %s closes the connection without an answer', async (_, bytes) => {
    const { control } = await startDaemon({ sockets: WEB })
    const client = new RawClient(control)
    await client.hello()
    client.send(bytes)
    expect(await client.ended()).toBe(true)
    expect(client.received).toEqual([])
  })

  it('does not lose its answer when more packets were on their way', async () => {
    const { control } = await startDaemon({ sockets: WEB })
    const client = new RawClient(control)
    await client.hello()
    client.send(packet(map([ID7, LIST]), NIL))
    for (let id = 20; id < 60; id++) client.request(id, 'stats')
    expect((await client.next()).message).toMatchObject({ id: 7, code: 'PROTOCOL' })
  })
})

it('closes a connection that sends a request before hello', async () => {
  const { control } = await startDaemon({ sockets: WEB })
  const client = new RawClient(control)
  client.request(3, 'list')
  expect((await client.next()).message).toMatchObject({ id: 3, ok: false, code: 'PROTOCOL' })
  expect(await client.ended()).toBe(true)
})

it.each([2, 0, -1, 2 ** 32, -(2n ** 63n), 2n ** 64n - 1n])(
  'names the versions that it speaks to one that speaks another, and closes, whatever else it says: %s',
  async (version) => {
    const { control } = await startDaemon({ sockets: WEB })
    for (const more of [{}, { compression: 'zstd', client: 7 }]) {
      const client = new RawClient(control)
      client.request(1, 'hello', { version, ...more })
      expect((await client.next()).message).toMatchObject({ id: 1, ok: false, code: 'VERSION', supported: [1] })
      expect(await client.ended()).toBe(true)
    }
  },
)

it.each(['ready', 'release', 'sockets'])(
  "%s of lease 0, which there never is, is DENIED as any other that is not one's own",
  async (op) => {
    const { control } = await startDaemon({ sockets: WEB })
    const client = new RawClient(control)
    await client.hello()
    expect((await client.ask(1, op, { lease: 0 })).message).toMatchObject({ id: 1, ok: false, code: 'DENIED' })
    client.close()
  },
)

it('takes hello and the next request together', async () => {
  const { control, pid } = await startDaemon({ sockets: WEB })
  const client = new RawClient(control)
  client.request(1, 'hello', { version: 1, client: 'test' })
  client.request(2, 'list')
  expect((await client.next()).message).toMatchObject({ id: 1, ok: true, version: 1, pid, features: expect.any(Array) })
  expect((await client.next()).message).toMatchObject({ id: 2, ok: true, sockets: [{ name: 'web' }] })
})

it('keeps the connection after an unknown verb, an unknown key and a bad value', async () => {
  const { control } = await startDaemon({ sockets: WEB })
  const client = new RawClient(control)
  await client.hello()
  expect((await client.ask(1, 'frobnicate')).message).toMatchObject({ code: 'UNSUPPORTED' })
  expect((await client.ask(2, 'list', { nmae: 1 })).message).toMatchObject({
    code: 'INVALID',
    message: expect.stringContaining('nmae'),
  })
  expect((await client.ask(3, 'acquire', { name: '../etc' })).message).toMatchObject({ code: 'INVALID' })
  client.send(
    packet(
      map([
        [str('id'), int(4)],
        [str('op'), str('acquire')],
        [str('name'), str('web')],
        [str('wait'), float64(1)],
      ]),
    ),
  )
  expect((await client.next()).message).toMatchObject({
    id: 4,
    code: 'INVALID',
    message: expect.stringContaining('wait'),
  })
  expect((await client.ask(5, 'list')).message).toMatchObject({ ok: true })
})

it('closes a connection that uses an id again while it is in flight', async () => {
  const sockets = '[sockets.one]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:root"]\nmode = "exclusive"'
  const daemon = await startDaemon({ sockets })
  const client = new RawClient(daemon.control)
  await client.hello()
  const { fds } = await client.ask(1, 'acquire', { name: 'one' })
  for (const fd of fds) fd.close()
  client.request(2, 'acquire', { name: 'one', wait: -1 })
  client.request(2, 'list')
  expect((await client.next()).message).toMatchObject({ id: 2, code: 'PROTOCOL' })
  expect(await client.ended()).toBe(true)
  await stopCleanly(daemon)
})

it('closes a connection that never says hello after hello_timeout', async () => {
  const daemon = await startDaemon({ sockets: WEB, broker: 'hello_timeout = "300ms"' })
  const started = performance.now()
  const client = new RawClient(daemon.control)
  expect(await client.ended()).toBe(true)
  expect(performance.now() - started).toBeGreaterThan(250)
  await stopCleanly(daemon)
})

it('takes no descriptors, and keeps none', async () => {
  const daemon = await startDaemon({ sockets: WEB })
  const before = daemon.fds()
  using file = new OwnedFd(openSync('/dev/null', 'r'))
  let refused = 0
  for (let round = 0; round < 20; round++) {
    const client = new RawClient(daemon.control)
    await client.hello()
    try {
      client.send(
        requestBytes(1, 'list'),
        Array.from({ length: 253 }, () => file.fd),
      )
      expect((await client.next()).message).toMatchObject({ id: 1, code: 'PROTOCOL' })
      expect(await client.ended()).toBe(true)
    } catch (error) {
      // SO_PASSRIGHTS=0 (Linux 6.16): the kernel refuses to send them at all.
      expect(error).toMatchObject({ code: 'EPERM' })
      refused++
    }
    client.close()
  }
  expect([0, 20]).toContain(refused)
  await until(() => daemon.fds() === before, 'the descriptors are back to what they were')
  await stopCleanly(daemon)
})

/** V8 of Node.js 22 and later takes some 10 MB once for the first thousands of whatever requests: its heap and its compiled code. */
const WARM = Number(process.versions.node.split('.')[0]) < 22 ? 100 : 20_000

it('survives 10,000 random packets: no crash, no descriptor kept, no growth', { timeout: 120_000 }, async () => {
  const daemon = await startDaemon({ sockets: WEB })
  const random = seeded(20_261_121)
  await flood(daemon.control, WARM, random)
  const [fds, rss] = [daemon.fds(), daemon.rss()]
  await flood(daemon.control, 10_000, random)
  await until(() => daemon.fds() === fds, 'the descriptors are back to what they were')
  expect(daemon.rss() - rss).toBeLessThan(5 * 1024 * 1024)
  const client = new RawClient(daemon.control)
  await client.hello()
  expect((await client.ask(1, 'list')).message).toMatchObject({ ok: true })
  client.close()
  await stopCleanly(daemon)
})

it('forgets a client that vanishes in the middle of its request', async () => {
  const daemon = await startDaemon({ sockets: WEB })
  const before = daemon.fds()
  for (let round = 0; round < 200; round++) {
    const client = new RawClient(daemon.control)
    client.request(0, 'hello', { version: 1 })
    client.request(1, 'acquire', { name: 'web' })
    client.close()
  }
  await until(() => daemon.fds() === before, 'the descriptors are back to what they were')
  const viewer = new RawClient(daemon.control)
  await viewer.hello()
  await until(
    async () => ((await viewer.ask(1, 'holders')).message['holders'] as unknown[]).length === 0,
    'no lease is left',
  )
  viewer.close()
  await stopCleanly(daemon)
})

it('cuts off a client that does not read, and serves the others meanwhile', { timeout: 40_000 }, async () => {
  const daemon = await startDaemon({ sockets: WEB })
  const deaf = new RawClient(daemon.control)
  await deaf.hello()
  deaf.channel.pauseReading()
  for (let id = 1; id < 2000; id++) deaf.request(id, 'stats')
  const other = new RawClient(daemon.control)
  await other.hello()
  expect((await other.ask(1, 'list')).message).toMatchObject({ ok: true })
  await until(
    () => daemon.logs().some(({ msg }) => msg === 'connection closed: the peer does not read'),
    'it is cut off',
    20_000,
  )
  other.close()
  deaf.close()
  await stopCleanly(daemon)
})

/** `packets` random ones of 0 to 64 KiB, each on a connection of its own, half of them after a hello. */
async function flood(control: string, packets: number, random: () => number): Promise<void> {
  for (let sent = 0; sent < packets; sent += 50) {
    const clients = Array.from({ length: 50 }, () => new RawClient(control))
    for (const [index, client] of clients.entries()) {
      if (index % 2 === 0) client.request(0, 'hello', { version: 1 })
      client.send(Uint8Array.from({ length: Math.floor(random() ** 6 * 65_536) }, () => random() * 256))
    }
    await Promise.all(clients.map((client) => client.ended(1000)))
    for (const client of clients) client.close()
  }
}
