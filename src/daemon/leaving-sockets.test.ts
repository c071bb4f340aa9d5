import { pino } from 'pino'
import { expect, it, vi } from 'vitest'
import { parseAddress } from '../protocol/address.ts'
import { addon, constants } from '../sys/addon.ts'
import { openSocket } from '../sys/index.ts'
import { KeptDescriptors } from './kept-descriptors.ts'
import { KeptLeaving } from './kept-leaving.ts'
import { LeavingSockets } from './leaving-sockets.ts'

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
