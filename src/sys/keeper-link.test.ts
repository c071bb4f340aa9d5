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

it('what there is no descriptor to copy for waits all the same, and takes the place of what waited for its key', () => {
  const { link, far, told } = stage()
  using former = createMemoryFile('former')
  using file = createMemoryFile('one')
  fill(link)
  link.send('P', 'web#0', [former.fd])
  vi.spyOn(addon, 'dup').mockReturnValue(-constants.errno.EMFILE)
  link.send('P', 'web#0', [file.fd, file.fd])
  vi.restoreAllMocks()
  read(far)
  expect(link.sendNow('S')).toBe(true)
  expect(read(far)).toEqual([
    { text: 'Pweb#0', files: 2 },
    { text: 'S', files: 0 },
  ])
  expect(told).toEqual([true, false])
})

it('what is another file by then is not sent, which is told', () => {
  const { link, far, told } = stage()
  const file = createMemoryFile('one')
  fill(link)
  vi.spyOn(addon, 'dup').mockReturnValue(-constants.errno.EMFILE)
  link.send('P', 'web#0', [file.fd])
  vi.restoreAllMocks()
  file.close()
  read(far)
  link.send('S')
  expect(read(far)).toEqual([{ text: 'S', files: 0 }])
  expect(told).toEqual([true, ['P', 'web#0'], false])
})

it('who ends waits for a keeper that is behind, and not for ever', async () => {
  const { link, far } = stage()
  expect(await link.caughtUp()).toBe(true)
  fill(link)
  link.send('X')
  expect(await link.caughtUp()).toBe(false)
  read(far)
  await expect.poll(() => link.behind).toBe(false)
  expect(await link.caughtUp()).toBe(true)
})
