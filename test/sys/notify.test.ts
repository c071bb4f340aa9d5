import { describe, expect, it } from 'vitest'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { notify } from '../../src/sys/notify.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { receive, receivedBytes } from '../../src/sys/receive.ts'
import { withFullTable } from '../support/full-table.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
const scratch = useScratch()

function receiver(path: string): OwnedFd {
  const fd = new OwnedFd(addon.socket(c.AF_UNIX, c.SOCK_DGRAM, 0))
  expect(addon.bind(fd.fd, c.AF_UNIX, path, 0)).toBe(0)
  return fd
}

function read(fd: OwnedFd): string {
  const { result } = receive(fd.fd, 4096)
  return Buffer.from(receivedBytes(Math.max(result, 0))).toString()
}

describe('notify', () => {
  it('without NOTIFY_SOCKET sends nothing and says so', () => {
    expect(notify('READY=1', { env: {} })).toBe(false)
  })

  it('sends to a path, again and again', () => {
    const fd = receiver(scratch.at('n'))
    const env = { NOTIFY_SOCKET: scratch.at('n') }
    for (const state of ['READY=1', 'STATUS=grüße', 'WATCHDOG=1', '']) {
      expect(notify(state, { env })).toBe(true)
      expect(read(fd)).toBe(state)
    }
    fd.close()
  })

  it('sends to an abstract name whole', () => {
    const name = `@fdb-notify-${process.pid}`
    const fd = receiver(name)
    expect(notify('READY=1', { env: { NOTIFY_SOCKET: name } })).toBe(true)
    expect(read(fd)).toBe('READY=1')
    fd.close()
  })

  it('sends descriptors along', () => {
    const fd = receiver(scratch.at('n'))
    expect(notify('FDSTORE=1', { env: { NOTIFY_SOCKET: scratch.at('n') }, fds: [0, 0] })).toBe(true)
    const { fds } = receive(fd.fd, 4096)
    expect(fds.length).toBe(2)
    for (const one of fds) one.close()
    fd.close()
  })

  it.each([
    ['nobody is there', '/nowhere/n', 'ENOENT'],
    ['the path is too long', `/${'x'.repeat(107)}`, '107 are the most'],
    ['the path is relative', 'n', 'neither a path nor @name'],
  ])('when %s, says so and goes on', (_, path, why) => {
    const errors: string[] = []
    const onError = (error: Error & { code?: string | number }) => errors.push(`${error.message} ${error.code}`)
    expect(notify('READY=1', { env: { NOTIFY_SOCKET: path }, onError })).toBe(false)
    expect(errors.length).toBe(1)
    if (why !== 'ENOENT') expect(errors[0]).toContain(why)
  })

  it.each([
    ['a path', () => scratch.at('n')],
    ['an abstract name', () => `@fdb-notify-${process.pid}`],
  ])('to %s without a descriptor left, says which call failed', (_, pathOf) => {
    const env = { NOTIFY_SOCKET: pathOf() }
    using fd = receiver(env.NOTIFY_SOCKET)
    notify('', { env })
    const errors: unknown[] = []
    expect(withFullTable(() => notify('READY=1', { env, onError: (error) => errors.push(error) }))).toBe(false)
    expect(errors).toMatchObject([{ name: 'SystemError', code: 'EMFILE', syscall: 'socket' }])
    expect(read(fd)).toBe('')
  })

  it('to a receiver whose queue is full, says so and goes on', () => {
    const fd = receiver(scratch.at('n'))
    const env = { NOTIFY_SOCKET: scratch.at('n') }
    let sent = 0
    while (sent < 5000 && notify('WATCHDOG=1', { env })) sent++
    expect(sent).toBeLessThan(5000)
    fd.close()
  })
})
