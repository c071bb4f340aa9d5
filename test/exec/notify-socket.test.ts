import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { addon, constants as c } from '../../src/sys/addon.ts'
import {
  type NotifySender,
  NotifySocket,
  prepareNotifyDirectory,
  releaseNotifyDirectory,
} from '../../src/sys/notify-socket.ts'
import { UserNotifyThread } from '../../src/sys/notify-thread.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { atEnd } from '../support/cleanup.ts'
import { IS_ROOT, NOBODY, temporaryDirectory, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { BOMB } from '../support/linger-bomb.ts'
import { endPythons, startPython } from '../support/python.ts'

forbidLeaks()
endPythons()

const uid = process.getuid!()
const gid = process.getgid!()

let directory: string
beforeEach(() => {
  directory = `${temporaryDirectory()}/control.sock.notify`
  prepareNotifyDirectory(directory)
})

function open(messages: [string, NotifySender][] = [], owner = uid): NotifySocket {
  const socket = NotifySocket.open(directory, owner, owner === uid ? gid : owner, (text, sender) => {
    messages.push([text, sender])
  })
  atEnd(() => socket.close())
  return socket
}

/** The longest that the event loop did not turn while `during` ran. */
async function longestStall(during: () => Promise<unknown>): Promise<number> {
  let last = performance.now()
  let longest = 0
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
  }, 1)
  await during()
  await sleep(10)
  clearInterval(timer)
  return longest
}

function systemdNotify(path: string, ...words: string[]): void {
  execFileSync('systemd-notify', words, { env: { ...process.env, NOTIFY_SOCKET: path }, timeout: 10_000 })
}

async function sendFrom(path: string, ...texts: string[]): Promise<number> {
  const python = startPython(
    `s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nfor text in sys.argv[2:]: s.sendto(text.encode(), sys.argv[1])\nsay('sent')`,
    [path, ...texts],
  )
  await python.line()
  await python.exit()
  return python.pid
}

describe('a notify socket', () => {
  it('hands on what is sent, with the sender by the kernel’s word, in order', async () => {
    const messages: [string, NotifySender][] = []
    const { path } = open(messages)
    const pid = await sendFrom(path, 'READY=1', 'STATUS=grüße\nX=\u0001', '')
    await until(() => messages.length === 3, 'three messages')
    expect(messages).toEqual([
      ['READY=1', { pid, uid, gid }],
      ['STATUS=grüße\nX=\u0001', { pid, uid, gid }],
      ['', { pid, uid, gid }],
    ])
  })

  it('is a path that only its user can send to, in a directory that nobody else can list or write', () => {
    const { path } = open()
    expect(statSync(path).mode & 0o7777).toBe(0o600)
    expect(statSync(path).uid).toBe(uid)
    expect(statSync(directory).mode & 0o7777).toBe(0o711)
    expect(path.slice(directory.length + 1)).toMatch(/^[\w-]{16}$/)
  })

  it.runIf(IS_ROOT)('belongs to the user whom it is for (run as root)', async () => {
    const messages: [string, NotifySender][] = []
    const { path } = open(messages, NOBODY)
    expect([statSync(path).uid, statSync(path).gid]).toEqual([NOBODY, NOBODY])
    const send = `s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
try: s.sendto(b'READY=1', sys.argv[1]); say('sent')
except PermissionError: say('refused')`
    expect(await startPython(send, [path], NOBODY).line()).toBe('sent')
    expect(await startPython(send, [path], 1).line()).toBe('refused')
    await until(() => messages.length === 1, 'one message')
    expect(messages[0]![1].uid).toBe(NOBODY)
  })

  it('answers systemd-notify, whose barrier waits until the descriptor that it sent is closed', async () => {
    const messages: [string, NotifySender][] = []
    const { path } = open(messages)
    systemdNotify(path, '--ready', '--status=up')
    await until(() => messages.length >= 1, 'a message')
    expect(messages[0]![0]).toContain('READY=1')
  })

  it('takes no descriptor into the table, however many come', async () => {
    const messages: [string, NotifySender][] = []
    const { path } = open(messages)
    const before = readdirSync('/proc/self/fd').length
    const python = startPython(
      `s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for i in range(200): s.sendmsg([b'STATUS=%d' % i], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * 253))], 0, sys.argv[1])
say('sent')`,
      [path],
    )
    await python.line()
    await python.exit()
    await until(() => messages.length > 0, 'a message')
    await sleep(50)
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before)
  })

  it('drops and counts what is too long, and what one sender floods', async () => {
    const messages: [string, NotifySender][] = []
    const { path } = open(messages)
    const before = UserNotifyThread.dropped
    await sendFrom(path, 'x'.repeat(4096), 'x'.repeat(4097))
    await until(() => UserNotifyThread.dropped === before + 1, 'one dropped')
    await until(() => messages.length === 1, 'one message')
    const flood = startPython(
      `s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nfor i in range(1000): s.sendto(b'x', sys.argv[1])\nopen(sys.argv[2], 'w')\nsay('sent')`,
      [path, `${directory}/flooded`],
    )
    // This thread does not turn meanwhile.
    execFileSync('timeout', [
      '20',
      'sh',
      '-c',
      `until [ -e ${directory}/flooded ]; do sleep 0.05; done; rm ${directory}/flooded`,
    ])
    await flood.line()
    await until(() => messages.length > 1, 'the queue is taken')
    const heard = () => messages.length - 1 + UserNotifyThread.dropped - before - 1
    await until(() => heard() >= 1000, 'all are taken or dropped')
    expect(heard()).toBe(1000)
    expect(UserNotifyThread.dropped).toBeGreaterThan(before + 900)
  })

  it('shows what a lingering descriptor does to who receives it on the event loop: 3 seconds', async () => {
    const path = `${directory}/plain`
    using plain = new OwnedFd(addon.socket(c.AF_UNIX, c.SOCK_DGRAM, 0))
    addon.bind(plain.fd, c.AF_UNIX, path, 0)
    const python = startPython(BOMB, [path])
    await python.line()
    const stall = await longestStall(async () => {
      const meta = new Int32Array(c.SCM_META_LENGTH)
      addon.recv(plain.fd, new Uint8Array(64), 64, meta)
      addon.close(meta[5]!)
    })
    expect(stall).toBeGreaterThan(2500)
    execFileSync('rm', [path])
  })

  it('does not stall the event loop when a lingering descriptor comes', async () => {
    const messages: [string, NotifySender][] = []
    const { path } = open(messages)
    const stall = await longestStall(async () => {
      const python = startPython(BOMB, [path])
      await python.line()
      await sleep(500)
      python.write('')
    })
    // The unprotected reference above is three seconds.
    expect(stall).toBeLessThan(2500)
    await until(() => messages.length === 1, 'the message comes when the descriptor is let go')
  })

  it('does not stall the event loop when it is closed with a lingering descriptor in its queue', async () => {
    const { path } = open()
    const other = NotifySocket.open(directory, uid, gid, () => {})
    const stall = await longestStall(async () => {
      // The thread is busy with the first; the second stays in the queue of the other socket.
      for (const to of [path, other.path]) await startPython(BOMB, [to]).line()
      other.close()
      await sleep(200)
    })
    // The unprotected reference above is three seconds.
    expect(stall).toBeLessThan(2500)
    expect(existsSync(other.path)).toBe(false)
    await sleep(6500)
  })

  it.runIf(IS_ROOT)('is not delayed by what another user sends (run as root)', async () => {
    const messages: [string, NotifySender][] = []
    const { path } = open(messages)
    const bombed = open([], NOBODY)
    await startPython(BOMB, [bombed.path], NOBODY).line()
    const start = performance.now()
    systemdNotify(path, '--ready')
    await until(() => messages.length >= 1, 'a message')
    expect(performance.now() - start).toBeLessThan(2500)
    await sleep(3500)
  })

  it('gives out no message of a socket that was closed, to nobody', async () => {
    const messages: [string, NotifySender][] = []
    const first = open(messages)
    // The thread receives it while this one does not turn.
    systemdNotify(first.path, '--status=old')
    first.close()
    first.close()
    const second = open(messages)
    await sendFrom(second.path, 'STATUS=new')
    await until(() => messages.length > 0, 'a message')
    expect(messages.map(([text]) => text)).toEqual(['STATUS=new'])
  })

  it('shares one thread with all sockets of its user, which ends with the last', async () => {
    const threads = () => readdirSync('/proc/self/task').length
    const before = threads()
    const sockets = Array.from({ length: 300 }, () => NotifySocket.open(directory, uid, gid, () => {}))
    expect(threads()).toBe(before + 1)
    for (const socket of sockets) socket.close()
    await until(() => threads() === before, 'the thread has ended')
    expect(readdirSync(directory)).toEqual([])
  })
})

describe('the directory of notify sockets', () => {
  it('is emptied of what a killed broker left, and removed at the end', () => {
    writeFileSync(`${directory}/stale`, '')
    prepareNotifyDirectory(directory)
    expect(readdirSync(directory)).toEqual([])
    releaseNotifyDirectory(directory)
    releaseNotifyDirectory(directory)
    expect(existsSync(directory)).toBe(false)
  })

  it('is refused when something else has its path', () => {
    releaseNotifyDirectory(directory)
    writeFileSync(directory, '')
    expect(() => prepareNotifyDirectory(directory)).toThrow('remove it')
    execFileSync('rm', [directory])
    mkdirSync(directory)
  })
})
