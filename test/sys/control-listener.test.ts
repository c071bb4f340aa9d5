import { statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addon, constants } from '../../src/sys/addon.ts'
import { ControlListener } from '../../src/sys/control-listener.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { getInt } from '../../src/sys/sockopt.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython, until } from '../support/python.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
endPythons()
const scratch = useScratch()

function connectRaw(path: string): OwnedFd {
  const fd = new OwnedFd(addon.socket(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0))
  expect(addon.connect(fd.fd, constants.AF_UNIX, path, 0)).toBe(0)
  return fd
}

describe('ControlListener', () => {
  it('has the mode that it was given, whatever the umask', () => {
    for (const mode of [0o600, 0o660, 0o666]) {
      const listener = ControlListener.listen(scratch.at(`m${mode}`), mode, () => {})
      expect(statSync(scratch.at(`m${mode}`)).mode & 0o777).toBe(mode)
      listener.close()
    }
  })

  it('hands SO_PASSCRED, SO_PASSRIGHTS=0, close-on-exec and a small send buffer to what it accepts', async () => {
    const accepted: OwnedFd[] = []
    const listener = ControlListener.listen(scratch.at('s'), 0o600, (fd) => accepted.push(fd))
    const client = connectRaw(scratch.at('s'))
    await until(() => accepted.length === 1)
    const { fd } = accepted[0]!
    expect(getInt(fd, constants.SOL_SOCKET, constants.SO_PASSCRED)).toBe(1)
    expect(getInt(fd, constants.SOL_SOCKET, constants.SO_SNDBUF)).toBe(2 * 65536)
    if (listener.passRights) expect(getInt(fd, constants.SOL_SOCKET, constants.SO_PASSRIGHTS)).toBe(0)
    for (const one of [client, accepted[0]!, listener]) one.close()
  })

  it('accepts at most 64 in a turn, and all of them in the end', async () => {
    const accepted: OwnedFd[] = []
    const clients: OwnedFd[] = []
    const listener = ControlListener.listen(scratch.at('s'), 0o600, (fd) => accepted.push(fd))
    for (let i = 0; i < 200; i++) clients.push(connectRaw(scratch.at('s')))
    const turns: number[] = []
    while (accepted.length < 200) {
      const before = accepted.length
      await new Promise((resolve) => setImmediate(resolve))
      turns.push(accepted.length - before)
    }
    expect(Math.max(...turns)).toBe(64)
    for (const one of [...clients, ...accepted, listener]) one.close()
  })

  it('leaves connections in the queue while it is paused', async () => {
    const accepted: OwnedFd[] = []
    const listener = ControlListener.listen(scratch.at('s'), 0o600, (fd) => accepted.push(fd))
    listener.pause()
    const client = connectRaw(scratch.at('s'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(accepted).toEqual([])
    listener.resume()
    await until(() => accepted.length === 1)
    for (const one of [client, accepted[0]!, listener]) one.close()
  })

  it('takes a listener that another process kept, with what waits in it', async () => {
    const socket = new OwnedFd(addon.socket(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0))
    addon.bind(socket.fd, constants.AF_UNIX, scratch.at('s'), 0)
    addon.listen(socket.fd, 5)
    const client = connectRaw(scratch.at('s'))
    const accepted: OwnedFd[] = []
    const listener = new ControlListener(socket, (fd) => accepted.push(fd))
    await until(() => accepted.length === 1)
    expect(listener.listening).toBe(true)
    for (const one of [client, accepted[0]!, listener]) one.close()
  })

  it('with a full descriptor table tells one peer at a time, and accepts again when there is room', async () => {
    const exhausted: number[] = []
    const accepted: OwnedFd[] = []
    const listener = ControlListener.listen(scratch.at('s'), 0o666, (fd) => accepted.push(fd), {
      onExhausted: (errno) => exhausted.push(errno),
    })
    const peer = startPython(
      `
wait()
all = []
for i in range(3):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); all.append(s)
say('connected')
say(len(all[0].recv(1)))
wait()`,
      [scratch.at('s')],
    )
    const full: OwnedFd[] = []
    const most = Number(/Max open files\s+(\d+)/.exec(await limits())?.[1])
    for (let i = 0; i < most; i++) {
      const fd = addon.dup(0)
      if (fd < 0) break
      full.push(new OwnedFd(fd))
    }
    peer.write('go')
    await until(() => exhausted.length > 0)
    for (const fd of full) fd.close()
    expect(exhausted[0]).toBe(constants.errno.EMFILE)
    expect(await peer.line()).toBe('connected')
    expect(await peer.line()).toBe('0')
    await until(() => accepted.length === 2)
    for (const one of [...accepted, listener]) one.close()
  })
})

async function limits(): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  return readFile('/proc/self/limits', 'utf8')
}
