import { once } from 'node:events'
import net from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { Serving } from './serving.ts'

afterEach(() => void vi.useRealTimers())

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
