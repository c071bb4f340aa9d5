import { createSocket } from 'node:dgram'
import { Server } from 'node:net'
import { expect, it, vi } from 'vitest'
import { onCloseCall } from './on-close-call.ts'

it('tells of each call after it was made, until it is ended', () => {
  const server = new Server()
  const done = vi.fn()
  const told = vi.fn(() => expect(server.listening).toBe(false))
  const end = onCloseCall(server.listen(0, '127.0.0.1'), told)
  expect(server.close(done)).toBe(server)
  server.close()
  expect(told).toHaveBeenCalledTimes(2)
  end()
  server.close()
  expect(told).toHaveBeenCalledTimes(2)
})

it('tells each of several, and leaves close() as it was when the last one has ended', () => {
  const server = new Server()
  const own = vi.fn(() => server)
  server.close = own
  const told = [vi.fn(), vi.fn()]
  const ends = told.map((each) => onCloseCall(server, each))
  server.close()
  for (const each of [...told, own]) expect(each).toHaveBeenCalledOnce()
  for (const end of ends) expect(end()).toBe(undefined)
  expect(server.close).toBe(own)
})

it('may be ended within the call, and only once', () => {
  const server = new Server()
  const first = onCloseCall(server, () => first())
  const told = vi.fn()
  onCloseCall(server, told)
  server.close()
  first()
  server.close()
  expect(told).toHaveBeenCalledTimes(2)
})

it('is silent behind a close() that the program has put before it meanwhile, and heard there again', () => {
  const server = new Server()
  const told = vi.fn()
  const end = onCloseCall(server, told)
  const { close } = server
  const wrapper: Server['close'] = (callback) => close.call(server, callback)
  server.close = wrapper
  end()
  server.close()
  expect([told.mock.calls.length, server.close === wrapper]).toEqual([0, true])
  const endAgain = onCloseCall(server, told)
  server.close()
  expect(told).toHaveBeenCalledOnce()
  endAgain()
})

it('hears a close() that was put back to what it was before, too', () => {
  const server = new Server()
  const { close } = server
  const end = onCloseCall(server, () => {})
  server.close = () => server
  end()
  server.close = close
  const told = vi.fn()
  const endAgain = onCloseCall(server, told)
  server.close()
  expect(told).toHaveBeenCalledOnce()
  endAgain()
})

it('does not tell of a call that throws', () => {
  const socket = createSocket('udp4')
  socket.close()
  const told = vi.fn()
  const end = onCloseCall(socket, told)
  expect(() => socket.close()).toThrow()
  expect(told).not.toHaveBeenCalled()
  end()
})
