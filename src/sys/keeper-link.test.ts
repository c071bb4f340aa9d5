import { afterEach, expect, it, vi } from 'vitest'
import { forbidLeaks } from '../../test/support/leaks.ts'
import { addon, constants } from './addon.ts'
import { createMemoryFile, type OwnedFd, socketPair } from './index.ts'
import { KeeperLink } from './keeper-link.ts'
import { receive, receivedBytes } from './receive.ts'

forbidLeaks()

const open: { close(): void }[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.close()
})

/** A link whose keeper does not read, and what the link has told of that. */
function stage() {
  const [near, far] = socketPair('SOCK_SEQPACKET')
  const told: unknown[] = []
  const link = new KeeperLink(near, { behind: (is) => told.push(is), unsent: (op, key) => told.push([op, key]) }, 1)
  open.push(link, far)
  return { link, far, told }
}

/** What has come. */
function read(far: OwnedFd): { text: string; files: number }[] {
  const packets = []
  for (;;) {
    const { result, fds } = receive(far.fd, 1024)
    if (result <= 0) return packets
    packets.push({ text: Buffer.from(receivedBytes(result)).toString(), files: fds.length })
    for (const fd of fds) fd.close()
  }
}

/** Sends until the keeper would have to read. */
function fill(link: KeeperLink): void {
  while (link.sendNow('x')) {}
}

it('what a stopped keeper does not take waits, which is said once, and comes in order when it reads again', async () => {
  const { link, far, told } = stage()
  using file = createMemoryFile('one')
  fill(link)
  link.send('P', 'web#0', [file.fd])
  link.send('D', 'old')
  link.send('U')
  expect([link.behind, link.sendNow('z'), told]).toEqual([true, false, [true]])
  read(far)
  await expect.poll(() => told).toEqual([true, false])
  expect(read(far)).toEqual([
    { text: 'Pweb#0', files: 1 },
    { text: 'Dold', files: 0 },
    { text: 'U', files: 0 },
  ])
  expect(link.sendNow('z')).toBe(true)
})

it('of what waits for one key the last alone comes', () => {
  const { link, far } = stage()
  using file = createMemoryFile('one')
  fill(link)
  for (const key of ['a', 'b']) link.send('P', key, [file.fd])
  link.send('D', 'a')
  link.send('P', 'b', [file.fd, file.fd])
  read(far)
  link.send('S')
  expect(read(far).map(({ text, files }) => [text, files])).toEqual([
    ['Da', 0],
    ['Pb', 2],
    ['S', 0],
  ])
})

it('what cannot wait, for want of descriptors, is told of', () => {
  const { link, told } = stage()
  using file = createMemoryFile('one')
  fill(link)
  vi.spyOn(addon, 'dup').mockReturnValue(-constants.errno.EMFILE)
  link.send('P', 'web#0', [file.fd])
  vi.restoreAllMocks()
  expect(told).toEqual([['P', 'web#0']])
})
