// A number that was closed is given to the next file that is opened. Sent under the old name, that file is a stranger's from then on.

import { openSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { Channel } from '../../src/sys/channel.ts'
import { ControlListener } from '../../src/sys/control-listener.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { socketCookie } from '../../src/sys/sockopt.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { until } from '../support/python.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
const scratch = useScratch()

const opened: { close(): void }[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

const tcp = () => {
  const fd = new OwnedFd(addon.socket(c.AF_INET, c.SOCK_STREAM, 0))
  opened.push(fd)
  return fd
}

/** The broker's end, and how many descriptors its peer got. */
async function connected(): Promise<{ broker: Channel; got: () => number }> {
  let got = 0
  let broker: Channel | undefined
  const path = scratch.at('s')
  const listener = ControlListener.listen(path, 0o600, (fd) => {
    broker = new Channel(fd, { message: () => {}, close: () => {} }, { receiveLimit: 4096, acceptFds: false })
    opened.push(broker)
  })
  const peer = Channel.connect(path, {
    message: (_, { fds }) => {
      got += fds.length
      for (const fd of fds) fd.close()
    },
    close: () => {},
  })
  opened.push(peer, listener)
  await until(() => broker !== undefined)
  return { broker: broker!, got: () => got }
}

const bytes = Buffer.from('x')
const expected = (fd: OwnedFd) => BigUint64Array.of(BigInt(`0x${socketCookie(fd.fd)}`))

describe('a descriptor that is sent with the cookie of the socket that it should be', () => {
  it('goes out when it is that socket', async () => {
    const { broker, got } = await connected()
    const socket = tcp()
    broker.send(bytes, [socket.fd], expected(socket))
    await until(() => got() === 1)
  })

  it.each([
    ['another socket', () => tcp().release()],
    ['a file', () => openSync('/etc/passwd', 'r')],
  ])('stays here when the number is %s by now; without the cookie it is sent', async (_, open) => {
    const { broker, got } = await connected()
    const socket = tcp()
    const cookies = expected(socket)
    const number = socket.fd
    socket.close()
    const other = open()
    expect(other).toBe(number)
    expect(() => broker.send(bytes, [number], cookies)).toThrow(expect.objectContaining({ code: 'ESTALE' }))
    broker.send(bytes, [number])
    await until(() => got() > 0)
    expect(got()).toBe(1)
    addon.close(other)
  })

  it('stays here when the number is nothing, and when one of several is wrong', async () => {
    const { broker, got } = await connected()
    const [first, second] = [tcp(), tcp()]
    const cookies = BigUint64Array.of(expected(first)[0]!, expected(first)[0]!)
    expect(() => broker.send(bytes, [first.fd, second.fd], cookies)).toThrow('ESTALE')
    const gone = second.fd
    second.close()
    expect(() => broker.send(bytes, [gone], cookies)).toThrow('ESTALE')
    broker.send(bytes, [first.fd], expected(first))
    await until(() => got() === 1)
  })
})
