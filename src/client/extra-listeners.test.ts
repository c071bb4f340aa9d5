import { Server, Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { ExtraListeners } from './extra-listeners.ts'

const counted = (server: Server) => (server as unknown as { _connections: number })._connections
/** As node:net does it: the server counts, and then tells. */
const arrive = (server: Server, socket = new Socket()) => {
  ;(server as unknown as { _connections: number })._connections++
  server.emit('connection', socket)
  return socket
}

describe('the further servers of a server', () => {
  it('are as many as asked for, and hand their connections to the one that the program knows', () => {
    const main = new Server()
    const extras = new ExtraListeners(main, 2)
    const seen: Socket[] = []
    main.on('connection', (socket) => seen.push(socket))
    const sockets = extras.servers.map((server) => arrive(server))
    expect(seen).toEqual(sockets)
    expect([counted(main), ...extras.servers.map(counted)]).toEqual([2, 0, 0])
    for (const socket of sockets) expect(socket).toMatchObject({ server: main, _server: main })
  })

  it('take over the options that net.Server keeps', () => {
    const options = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true }
    const [extra] = new ExtraListeners(new Server(options), 1).servers
    expect(extra).toMatchObject(options)
  })

  it.each([
    [0, 0, ['drop']],
    [1, 0, ['connection']],
    [1, 1, ['drop']],
    [2, 1, ['connection']],
  ])('keep to maxConnections of it: %i, when it has %i', (most, has, heard) => {
    const main = new Server()
    const extras = new ExtraListeners(main, 1)
    main.maxConnections = most
    for (let n = 0; n < has; n++) arrive(main)
    const told: string[] = []
    for (const event of ['drop', 'connection']) main.on(event, () => told.push(event))
    const socket = arrive(extras.servers[0]!)
    expect(told).toEqual(heard)
    expect(socket.destroyed).toBe(heard[0] === 'drop')
  })

  it('can be added and removed', () => {
    const main = new Server()
    const extras = new ExtraListeners(main, 0)
    const [first, second] = [extras.add(), extras.add()]
    extras.remove(first)
    expect(extras.servers).toEqual([second])
  })

  it.each([
    ['none', 0, false],
    ['one', 1, true],
  ])('change close() of it only where there is one: %s', (_what, count, changed) => {
    const main = new Server()
    new ExtraListeners(main, count)
    expect(Object.hasOwn(main, 'close')).toBe(changed)
  })

  it('give its close() back as it was when it is called, the program’s own too', () => {
    const main = new Server()
    new ExtraListeners(main, 1)
    main.close()
    expect(Object.hasOwn(main, 'close')).toBe(false)
    const other = new Server()
    const calls: unknown[] = []
    const own = ((callback: unknown) => calls.push(callback) && other) as unknown as Server['close']
    other.close = own
    new ExtraListeners(other, 0).add()
    const done = () => {}
    other.close(done)
    expect([calls, other.close === own]).toEqual([[done], true])
  })
})
