import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { ConnectionRoom } from './connection-room.ts'

class FakeSocket extends EventEmitter {
  destroyed = false
  destroy(): void {
    this.destroyed = true
  }
}

function room(most: number) {
  const told: number[] = []
  const room = new ConnectionRoom(most, (closed) => told.push(closed))
  const enter = () => {
    const socket = new FakeSocket()
    room.enter(socket as unknown as Socket)
    return socket
  }
  const note = (socket: FakeSocket, answering: boolean) => room.note(socket as unknown as Socket, answering)
  return { enter, note, told }
}

const destroyed = (sockets: FakeSocket[]) => sockets.map((socket) => socket.destroyed)

afterEach(() => {
  vi.restoreAllMocks()
})

it('closes the one that has been idle for longest, not one that waits for its answer', () => {
  const { enter, note } = room(3)
  const sockets = [enter(), enter(), enter()]
  note(sockets[0]!, true)
  note(sockets[1]!, true)
  note(sockets[1]!, false)
  sockets.push(enter())
  expect(destroyed(sockets)).toEqual([false, false, true, false])
  sockets.push(enter())
  expect(destroyed(sockets)).toEqual([false, true, true, false, false])
})

it('closes the one that has waited for its answer for longest when all do', () => {
  const { enter, note } = room(2)
  const sockets = [enter(), enter()]
  note(sockets[1]!, true)
  note(sockets[0]!, true)
  sockets.push(enter())
  expect(destroyed(sockets)).toEqual([false, true, false])
})

it('has room again for each that ends', () => {
  const { enter, told } = room(2)
  const sockets = [enter(), enter()]
  sockets[0]!.emit('close')
  sockets.push(enter())
  expect(destroyed(sockets)).toEqual([false, false, false])
  expect(told).toEqual([])
})

it('tells at once, and then what came since every 10 s', () => {
  let now = 1000
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  const { enter, told } = room(1)
  for (let count = 0; count < 5; count++) enter()
  expect(told).toEqual([1])
  now += 9999
  enter()
  expect(told).toEqual([1])
  now += 1
  enter()
  expect(told).toEqual([1, 5])
})
