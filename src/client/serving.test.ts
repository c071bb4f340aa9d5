import { once } from 'node:events'
import net from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { Http2Work } from './http2-work.ts'
import { Serving } from './serving.ts'

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

/** Microtasks only: the clock stands. */
async function turn(): Promise<void> {
  for (let times = 0; times < 50; times++) await Promise.resolve()
}

it.each([
  [400, 360],
  [5000, 4900],
])('gives a lease whose drain ends in %i ms back after %i ms, a tenth of it or 100 ms before', async (left, after) => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const givenBack = vi.fn(async () => {})
  const lease = { open: async () => {}, stopAccepting: () => {}, giveBack: givenBack }
  const serving = new Serving(server, { drainTimeout: 60_000 }, lease)
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {})
  await once(server, 'connection')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  const done = serving.run()
  await turn()
  serving.drain({ reason: 'admin', deadline: Date.now() + left })
  await turn()
  vi.advanceTimersByTime(after - 1)
  await turn()
  expect(givenBack).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  await turn()
  expect(givenBack).toHaveBeenCalledOnce()
  vi.useRealTimers()
  expect(await done).toEqual({ reason: 'admin', cut: 1 })
  client.destroy()
  server.close()
  await once(server, 'close')
})

it('drains as soon as it has opened when the program closed the server before, with somebody connected', async () => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  let client: net.Socket | undefined
  const open = async () => {
    client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {})
    await once(server, 'connection')
    server.close()
  }
  const lease = { open, stopAccepting: () => {}, giveBack: async () => {} }
  expect(await new Serving(server, { drainTimeout: 20 }, lease).run()).toEqual({ reason: 'closed', cut: 1 })
  client!.destroy()
})

it.each([2 ** 31, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])(
  'cuts nobody before a drainTimeout of %d is over',
  async (drainTimeout) => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const givenBack = vi.fn(async () => {})
    const lease = { open: async () => {}, stopAccepting: () => void server.close(), giveBack: givenBack }
    const serving = new Serving(server, { drainTimeout }, lease)
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
    await once(server, 'connection')
    const closeAll = vi.spyOn(Http2Work.prototype, 'closeAll')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
    const done = serving.run()
    await turn()
    void serving.release()
    await turn()
    vi.advanceTimersByTime(60_000)
    await turn()
    expect([givenBack.mock.calls, closeAll.mock.calls]).toEqual([[], []])
    vi.useRealTimers()
    client.resume().end()
    expect(await done).toEqual({ reason: 'released', cut: 0 })
  },
)

it('keeps to the deadline of the broker where drainTimeout is Infinity', async () => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const lease = { open: async () => {}, stopAccepting: () => void server.close(), giveBack: async () => {} }
  const serving = new Serving(server, { drainTimeout: Number.POSITIVE_INFINITY }, lease)
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {})
  await once(server, 'connection')
  const done = serving.run()
  void serving.release()
  serving.drain({ reason: 'admin', deadline: Date.now() + 20 })
  expect(await done).toEqual({ reason: 'released', cut: 1 })
  client.destroy()
})

it.each([-1, Number.NaN, '2000', null])(
  'takes no drainTimeout of %s: INVALID, and the server is left alone',
  (drainTimeout) => {
    const server = net.createServer()
    const lease = { open: async () => {}, stopAccepting: () => {}, giveBack: async () => {} }
    expect(() => new Serving(server, { drainTimeout: drainTimeout as number }, lease)).toThrow(
      expect.objectContaining({ code: 'INVALID', message: expect.stringContaining('drainTimeout') }),
    )
    expect(server.eventNames()).toEqual(net.createServer().eventNames())
  },
)

it('warns of a supervisor that cannot be told', async () => {
  const server = net.createServer()
  const lease = { open: async () => {}, stopAccepting: () => {}, giveBack: async () => {} }
  vi.stubEnv('NOTIFY_SOCKET', '/nonexistent/notify.sock')
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const serving = new Serving(server, { notify: true }, lease)
  const done = serving.run()
  await turn()
  void serving.release()
  await done
  expect(warned.mock.calls.map(([message]) => message)).toEqual([
    expect.stringMatching(/^the supervisor could not be told READY=1: .*ENOENT/),
    expect.stringMatching(/^the supervisor could not be told STOPPING=1: .*ENOENT/),
  ])
})

it('does not warn where there is no supervisor', async () => {
  const lease = { open: async () => {}, stopAccepting: () => {}, giveBack: async () => {} }
  vi.stubEnv('NOTIFY_SOCKET', undefined)
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const serving = new Serving(net.createServer(), { notify: true }, lease)
  const done = serving.run()
  await turn()
  void serving.release()
  await done
  expect(warned).not.toHaveBeenCalled()
})
