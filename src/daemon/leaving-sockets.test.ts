import { pino } from 'pino'
import { expect, it, vi } from 'vitest'
import { atEnd } from '../../test/support/cleanup.ts'
import { forbidLeaks } from '../../test/support/leaks.ts'
import { parseAddress } from '../protocol/address.ts'
import { addon, constants } from '../sys/addon.ts'
import { openSocket } from '../sys/index.ts'
import { KeptDescriptors } from './kept-descriptors.ts'
import { KeptLeaving } from './kept-leaving.ts'
import { LeavingSockets } from './leaving-sockets.ts'

forbidLeaks()

function stage(append: () => void = () => {}) {
  vi.useFakeTimers()
  const said: string[] = []
  const log = pino({}, { write: (line: string) => void said.push(JSON.parse(line).msg) })
  const sockets = new LeavingSockets(new KeptLeaving(new KeptDescriptors(), { append } as never), log)
  atEnd(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
    sockets.closeAll()
  })
  sockets.resume()
  const add = () => {
    const socket = openSocket(parseAddress('tcp://127.0.0.1:0'), {}, 1)
    sockets.add({ name: 'web', socket, replaced: true, timeout: 1000, holders: [] })
    return socket
  }
  return { sockets, said, add }
}

it('one that cannot be ended is told of once, keeps no other from its end, and is ended when it can be', () => {
  const { sockets, said, add } = stage()
  const [bad, good] = [add(), add()]
  const shutdown = addon.shutdown
  const refused = vi.spyOn(addon, 'shutdown').mockImplementation((fd, how) => {
    if (fd === bad.fd.fd) throw new Error('not now')
    return shutdown(fd, how)
  })
  vi.advanceTimersByTime(2000)
  expect([good.fd.closed, bad.fd.closed, sockets.all().length]).toEqual([true, false, 1])
  refused.mockRestore()
  vi.advanceTimersByTime(100)
  expect([bad.fd.closed, sockets.all().length]).toEqual([true, 0])
  expect(said).toEqual(['an old socket could not be closed', 'old socket closed', 'old socket closed'])
})

it('one whose end cannot be written down is closed all the same', () => {
  let full = false
  const { sockets, add } = stage(() => {
    if (full) throw new Error('no room')
  })
  const socket = add()
  full = true
  vi.advanceTimersByTime(2000)
  expect([socket.fd.closed, sockets.all().length]).toEqual([true, 0])
  full = false
})

it('a look that the kernel refuses for want of memory neither throws nor ends the socket', () => {
  vi.useFakeTimers()
  const socket = openSocket(parseAddress('tcp://127.0.0.1:0'), {}, 1)
  const sockets = new LeavingSockets(
    new KeptLeaving(new KeptDescriptors(), { append: () => {} } as never),
    pino({ enabled: false }),
  )
  sockets.resume()
  sockets.add({ name: 'web', socket, replaced: true, timeout: 60_000, holders: [] })
  const refused = vi.spyOn(addon, 'getsockopt').mockReturnValue(-constants.errno.ENOMEM)
  try {
    vi.advanceTimersByTime(2000)
    expect(refused).toHaveBeenCalled()
    expect(sockets.all()).toHaveLength(1)
  } finally {
    vi.restoreAllMocks()
    vi.useRealTimers()
    sockets.closeAll()
  }
})
