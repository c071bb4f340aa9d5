import { once } from 'node:events'
import { createServer as createHttp, get } from 'node:http'
import { createServer, connect as dial, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Lease } from '../../src/client/index.ts'
import { addon, constants as C } from '../../src/sys/addon.ts'
import { getBytes, getInt } from '../../src/sys/sockopt.ts'
import { type BrokerSocket, granting, portOf } from '../support/fake-broker.ts'
import { ended, useSdk } from '../support/sdk.ts'

const { atEnd, scratch, serve, socket } = useSdk()

/** The queue limit of a listener, as `ss -ltn` shows it under Send-Q (tcp_info, tcpi_sacked). */
function backlogOf({ fd }: BrokerSocket): number {
  const info = getBytes(fd.fd, C.IPPROTO_TCP, C.TCP_INFO, 256)
  return new DataView(info.buffer).getUint32(C.TCP_INFO_SACKED, true)
}

function leaseOn(...sockets: BrokerSocket[]): Promise<Lease> {
  return serve(granting(sockets)).broker.acquire('web')
}

function closing<S extends { close(callback: () => void): unknown }>(server: S): S {
  atEnd(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return server
}

async function talk(options: { port: number; host?: string } | { path: string }): Promise<string> {
  return text(dial(options as { port: number }))
}

const greeter = (word: string) => createServer((connection) => connection.end(word))

describe('listen', () => {
  it('serves a net server, and keeps the broker’s backlog where Node alone sets 511', async () => {
    const bare = socket('tcp')
    const copy = bare.fd.dup()
    const unprotected = closing(createServer())
    unprotected.listen({ fd: copy.release(), backlog: 77 })
    expect(backlogOf(bare)).toBe(511)

    const web = socket('tcp')
    const lease = await leaseOn(web)
    await lease.listen(closing(greeter('hello')))
    expect(backlogOf(web)).toBe(77)
    expect(await talk({ port: portOf(web) })).toBe('hello')
  })

  it('lets `server.listen(lease)` work, and sets the backlog back that Node changes', async () => {
    const web = socket('tcp')
    const lease = await leaseOn(web)
    const server = closing(greeter('hello'))
    server.listen(lease)
    expect(backlogOf(web)).toBe(511)
    await expect.poll(() => backlogOf(web)).toBe(77)
    expect(await talk({ port: portOf(web) })).toBe('hello')
  })

  it('hands a number out once, and never closes one that it handed out', async () => {
    const lease = await leaseOn(socket('tcp'))
    const server = greeter('hello').listen(lease)
    const number = lease.fd
    expect(lease.fds).toEqual([number])
    await new Promise((resolve) => server.close(resolve))
    const reused = socket('tcp').fd
    const again = reused.fd === number ? reused : reused.dup()
    await lease.release()
    expect(getInt(again.fd, C.SOL_SOCKET, C.SO_ACCEPTCONN)).toBe(1)
    again.close()
  })

  it('serves a Unix socket', async () => {
    const path = scratch.at('web.sock')
    const lease = await leaseOn(socket('unix', path))
    await lease.listen(closing(greeter('unix')))
    expect(await talk({ path })).toBe('unix')
  })

  it('serves two sockets behind one server, whose options, counts and close() mean both', async () => {
    const [four, six] = [socket('tcp'), socket('tcp', '::1')]
    const lease = await leaseOn(four, six)
    expect(() => lease.fd).toThrow(/2 sockets.*listen/)
    const open: Socket[] = []
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (connection) => {
      open.push(connection)
    })
    await lease.listen(server)
    const clients = [dial({ port: portOf(four), host: '127.0.0.1' }), dial({ port: portOf(six), host: '::1' })]
    await expect.poll(() => open.length).toBe(2)
    expect(open.map((connection) => [connection.allowHalfOpen, connection.isPaused()])).toEqual([
      [true, true],
      [true, true],
    ])
    expect(await new Promise((resolve) => server.getConnections((_error, count) => resolve(count)))).toBe(2)
    let closed = false
    const close = new Promise<void>((resolve) =>
      server.close(() => {
        closed = true
        resolve()
      }),
    )
    expect(Object.hasOwn(server, 'close')).toBe(false)
    clients.push(dial({ port: portOf(six), host: '::1' }))
    await once(clients[2]!, 'connect')
    await sleep(20)
    expect(open.length, 'it waits in the queue that the broker holds').toBe(2)
    expect(closed).toBe(false)
    for (const connection of open) connection.destroy()
    await close
    for (const client of clients) client.destroy()
  })

  it('keeps maxConnections over all sockets of a server', async () => {
    const [four, six] = [socket('tcp'), socket('tcp', '::1')]
    const lease = await leaseOn(four, six)
    const server = closing(createServer((connection) => connection.resume()))
    server.maxConnections = 1
    let drops = 0
    server.on('drop', () => drops++)
    await lease.listen(server)
    const first = dial({ port: portOf(four) })
    await expect.poll(() => new Promise((resolve) => server.getConnections((_e, count) => resolve(count)))).toBe(1)
    const second = dial({ port: portOf(six), host: '::1' }).on('error', () => {})
    await expect.poll(() => drops).toBe(1)
    first.destroy()
    second.destroy()
  })

  it('is stopped by release(), while connections live on', async () => {
    const web = socket('tcp')
    const lease = await leaseOn(web)
    const server = createHttp((_request, response) => response.end('served'))
    await lease.listen(server)
    const agent = new (await import('node:http')).Agent({ keepAlive: true, maxSockets: 1 })
    atEnd(() => agent.destroy())
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        get({ port: portOf(web), agent }, (response) => resolve(text(response))).on('error', reject)
      })
    expect(await ask()).toBe('served')
    await lease.release()
    expect(server.listening).toBe(false)
    expect(await ask()).toBe('served')
  })

  it('gives the descriptors away with take(), once', async () => {
    const web = socket('tcp')
    const lease = await leaseOn(web)
    const [fd] = lease.take()
    expect(addon.getsockname(fd!)).toMatchObject({ port: portOf(web) })
    expect(() => lease.take()).toThrow(/taken/)
    expect(await ended(lease.listen(createServer()))).toMatchObject({ code: 'INVALID' })
    await lease.release()
    expect(getInt(fd!, C.SOL_SOCKET, C.SO_ACCEPTCONN)).toBe(1)
    addon.close(fd!)
  })

  it('refuses a socket that stopped listening, where Node alone listens on a random port', async () => {
    const unbound = addon.socket(C.AF_INET, C.SOCK_STREAM, 0)
    const unprotected = closing(createServer())
    unprotected.listen({ fd: unbound })
    expect((unprotected.address() as { port: number }).port).toBeGreaterThan(0)

    const web = socket('tcp')
    const lease = await leaseOn(web)
    addon.shutdown(web.fd.fd, C.SHUT_RDWR)
    expect(await ended(lease.listen(createServer()))).toMatchObject({
      code: 'SYSTEM',
      message: expect.stringContaining('SO_ACCEPTCONN'),
    })
  })

  it('refuses a server that listens already, and an aborted signal', async () => {
    const lease = await leaseOn(socket('tcp'))
    const server = closing(createServer())
    await lease.listen(server)
    expect(await ended(lease.listen(server))).toMatchObject({ code: 'INVALID' })
    expect(await ended(lease.listen(createServer(), { signal: AbortSignal.abort(new Error('no')) }))).toMatchObject({
      message: 'no',
    })
  })

  it('refuses with ENDED after release()', async () => {
    const lease = await leaseOn(socket('tcp'))
    await lease.release()
    expect(await ended(lease.listen(createServer()))).toMatchObject({ code: 'ENDED' })
    expect(() => lease.fd).toThrow(/released/)
  })
})

it('rejects, and leaves nothing open, when the server is closed or given up before it listens', async () => {
  const lease = await leaseOn(socket('tcp'), socket('tcp'))
  const closed = createServer()
  const listening = ended(lease.listen(closed))
  closed.close()
  expect(await listening).toMatchObject({ code: 'INVALID', message: expect.stringContaining('closed before') })
  const abort = new AbortController()
  const server = createServer()
  const given = ended(lease.listen(server, { signal: abort.signal }))
  abort.abort(new Error('enough'))
  expect(await given).toMatchObject({ message: 'enough' })
  expect(server.listening).toBe(false)
})
