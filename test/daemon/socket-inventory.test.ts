import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { SocketInventory } from '../../src/daemon/state/socket-inventory.ts'
import { type BoundSocket, openSocket, type Recovered } from '../../src/sys/index.ts'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SILENT = pino({ level: 'silent' })
const tcp = () => openSocket({ type: 'tcp', host: '127.0.0.1', port: 0, family: 4 }, {}, 7)

/** What a broker that starts with this file finds of `web`; the test's own process has the socket. */
function found(path: string, name = 'web', type = 'tcp'): string | undefined {
  let cookie: string | undefined
  new SocketInventory(path, SILENT).recover(name, type, ({ fd }: Recovered) => {
    cookie = 'found'
    fd.close()
    return { fd } as BoundSocket
  })
  return cookie
}

describe('the inventory of sockets', () => {
  it('finds a socket that somebody has, by its name and type; once', () => {
    const path = `${temporaryDirectory()}/sockets`
    const socket = tcp()
    const written = new SocketInventory(path, SILENT)
    written.note('web#0', socket)
    written.write()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(existsSync(`${path}.new`)).toBe(false)
    expect([found(path), found(path, 'we'), found(path, 'web', 'unix')]).toEqual(['found', undefined, undefined])
    const reader = new SocketInventory(path, SILENT)
    const take = () =>
      reader.recover('web', 'tcp', ({ fd }) => ({ fd, close: () => fd.close() }) as unknown as BoundSocket)
    const first = take()
    expect([first?.fd.closed, take()]).toEqual([false, undefined])
    first!.fd.close()
    socket.close()
  })

  it('offers nothing that another has bound since at the same address', () => {
    const path = `${temporaryDirectory()}/sockets`
    const socket = tcp()
    const written = new SocketInventory(path, SILENT)
    written.note('web#0', { ...socket, cookie: '00000000deadbeef' })
    written.write()
    expect(found(path)).toBeUndefined()
    socket.close()
  })

  it('is known by its cookie alone: the inode only says where to look, and is not in the list of an earlier version', () => {
    const path = `${temporaryDirectory()}/sockets`
    const [socket, other] = [tcp(), tcp()]
    const written = new SocketInventory(path, SILENT)
    written.note('web#0', socket)
    written.note('other#0', other)
    written.write()
    const { sockets, ...rest } = JSON.parse(readFileSync(path, 'utf8'))
    const foundWith = (inode: number | undefined) => {
      const web = { ...sockets['web#0'], inode }
      writeFileSync(path, JSON.stringify({ ...rest, sockets: { 'web#0': web } }))
      return found(path)
    }
    expect(foundWith(undefined)).toBe('found')
    expect(foundWith(sockets['web#0'].inode)).toBe('found')
    expect(foundWith(sockets['other#0'].inode)).toBeUndefined()
    socket.close()
    other.close()
  })

  it('is removed when there is no socket any more', () => {
    const path = `${temporaryDirectory()}/sockets`
    const socket = tcp()
    const inventory = new SocketInventory(path, SILENT)
    inventory.note('web#0', socket)
    inventory.write()
    inventory.clear()
    inventory.write()
    expect(existsSync(path)).toBe(false)
    inventory.write()
    socket.close()
  })

  it.each<[string, (path: string, text: string) => void]>([
    ['of another boot', (path, text) => writeFileSync(path, JSON.stringify({ ...JSON.parse(text), boot: 'x' }))],
    [
      'of another network namespace',
      (path, text) => writeFileSync(path, JSON.stringify({ ...JSON.parse(text), netns: 'x' })),
    ],
    ['of another version', (path, text) => writeFileSync(path, JSON.stringify({ ...JSON.parse(text), version: 2 }))],
    ['that is cut off', (path, text) => writeFileSync(path, text.slice(0, -5))],
    ['that others may write', (path) => chmodSync(path, 0o622)],
    [
      'behind a symbolic link',
      (path, text) => {
        writeFileSync(`${path}.real`, text, { mode: 0o600 })
        unlinkSync(path)
        symlinkSync(`${path}.real`, path)
      },
    ],
  ])('%s counts as none', (_, spoil) => {
    const path = `${temporaryDirectory()}/sockets`
    const socket = tcp()
    const inventory = new SocketInventory(path, SILENT)
    inventory.note('web#0', socket)
    inventory.write()
    expect(found(path)).toBe('found')
    spoil(path, readFileSync(path, 'utf8'))
    expect(found(path)).toBeUndefined()
    socket.close()
  })
})
