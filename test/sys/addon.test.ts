import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { check, SystemError } from '../../src/sys/system-error.ts'
import { forbidLeaks, leakedSince, openFds } from '../support/leaks.ts'
import { endPythons, startPython, until } from '../support/python.ts'

forbidLeaks()
endPythons()

const binary = createRequire(import.meta.url).resolve('../../build/Release/fd_broker.node')

/** Runs the program in a thread that has the addon as `a`, its constants as `c` and a SEQPACKET listener. */
function inWorker(program: string): Worker {
  return new Worker(
    `
const { parentPort } = require('node:worker_threads')
const a = require(${JSON.stringify(binary)}), c = a.constants
const name = '@fdb-worker-' + process.pid + '-' + require('node:worker_threads').threadId
const listener = a.socket(c.AF_UNIX, c.SOCK_SEQPACKET, 0)
a.bind(listener, c.AF_UNIX, name, 0); a.listen(listener, 5)
const client = a.socket(c.AF_UNIX, c.SOCK_SEQPACKET, 0)
a.connect(client, c.AF_UNIX, name, 0)
const closeAll = () => { a.close(listener); a.close(client) }
${program}`,
    { eval: true },
  )
}

function raise(_done?: unknown): never {
  throw new Error('refused')
}

const message = (worker: Worker) => new Promise((resolve) => worker.once('message', resolve))
const exit = (worker: Worker) => new Promise<number>((resolve) => worker.once('exit', resolve))

describe('in worker threads', () => {
  it('polls on the thread’s own loop', async () => {
    const workers = Array.from({ length: 4 }, () =>
      inWorker(`
const poll = new a.Poll(listener, (status, events) => {
  poll.close()
  const connection = a.accept(listener)
  a.close(connection); closeAll()
  parentPort.postMessage([status, events, connection > 0])
})
poll.start(c.UV_READABLE)`),
    )
    const exits = workers.map(exit)
    const results = await Promise.all(workers.map(message))
    expect(results).toEqual(Array(4).fill([0, c.UV_READABLE, true]))
    expect(await Promise.all(exits)).toEqual([0, 0, 0, 0])
  })

  it.each([
    ['ends by itself with Polls closed, open, started and unreferenced', 'polls.forEach((p) => p.unref())', false],
    [
      'exits in a callback',
      'polls[2].stop(); polls.push(new a.Poll(client, () => process.exit(0))); polls[3].start(2)',
      false,
    ],
    ['is terminated from outside', '', true],
  ])('a thread that %s leaves nothing behind', async (_, last, terminate) => {
    for (let i = 0; i < 5; i++) {
      const worker = inWorker(`
const extra = a.socket(c.AF_UNIX, c.SOCK_STREAM, 0), copy = a.dup(extra)
const polls = [new a.Poll(extra, () => {}), new a.Poll(copy, () => {}), new a.Poll(listener, () => {})]
polls[0].close(); polls[0].close()
polls[2].start(c.UV_READABLE)
a.closeLater(a.dup(extra)); a.closeLater(a.dup(extra))
process.on('exit', () => {})
${last}
parentPort.postMessage([extra, copy, listener, client])
`)
      const ended = exit(worker)
      const fds = (await message(worker)) as number[]
      if (terminate) await worker.terminate()
      else expect(await ended).toBe(0)
      expect(fds.filter((fd) => openFds().has(fd))).toEqual([])
    }
  })

  it('a thread that ends closes what it opened, by whatever call', async () => {
    const before = openFds()
    const worker = inWorker(`
const pair = new Int32Array(2), meta = new Int32Array(c.SCM_META_LENGTH)
a.socketPair(c.AF_UNIX, c.SOCK_SEQPACKET, pair)
a.send(pair[0], new Uint8Array(1), Int32Array.of(pair[1], pair[1]))
a.recv(pair[1], new Uint8Array(1), 1, meta)
const pidfd = a.pidfdOpen(process.pid)
const peer = new Int32Array(c.PEER_LENGTH)
a.peer(pair[0], peer)
parentPort.postMessage([...pair, meta[5], meta[6], pidfd, a.accept(listener), a.dup(client), a.open('/', c.O_PATH, 0),
  a.memoryFile('x'), a.epollOpen(), a.pidfdGetfd(pidfd, client), peer[3]])
setInterval(() => {}, 1000)`)
    const fds = ((await message(worker)) as number[]).filter((fd) => fd >= 0)
    expect(fds.length).toBeGreaterThanOrEqual(11)
    expect(fds.filter((fd) => !openFds().has(fd))).toEqual([])
    await worker.terminate()
    expect(await leakedSince(before)).toEqual([])
  })

  it('a thread that ends leaves what it closed or gave away, whoever has the number now', async () => {
    const worker = inWorker(`
const given = a.dup(client), reused = a.dup(client)
a.disown(given); a.close(reused)
parentPort.postMessage([given, reused])
setInterval(() => {}, 1000)`)
    const [given, reused] = (await message(worker)) as [number, number]
    const mine: number[] = []
    while (!mine.includes(reused)) mine.push(addon.dup(0))
    await worker.terminate()
    expect(mine.map((fd) => addon.close(fd))).toEqual(mine.map(() => 0))
    expect(addon.close(given)).toBe(0)
  })
})

describe('many loads', () => {
  it('in one process, as processes and threads do, keep each its own state', async () => {
    const program = `
const { Worker, isMainThread } = require('node:worker_threads')
const load = () => { delete require.cache[${JSON.stringify(binary)}]; return require(${JSON.stringify(binary)}) }
const addons = Array.from({ length: 20 }, load)
for (const a of addons) { const p = new a.Poll(a.socket(1, 1, 0), () => {}); p.start(4); p.unref(); a.closeLater(a.dup(0)) }
console.log(new Set(addons).size)`
    expect(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' })).toBe('20\n')
  })
})

describe('Poll', () => {
  it('refuses a descriptor that epoll cannot watch, or that is none', () => {
    expect(() => new addon.Poll(9999, () => {})).toThrow(expect.objectContaining({ code: 'EBADF' }))
    const file = new OwnedFd(addon.open(fileURLToPath(import.meta.url), c.O_RDONLY, 0))
    expect(() => new addon.Poll(file.fd, () => {})).toThrow(expect.objectContaining({ code: 'EPERM' }))
    file.close()
  })

  it.each([
    ['no function', [0, 1]],
    ['no number', ['0', () => {}]],
    ['nothing', []],
  ])('throws a TypeError for %s', (_, args) => {
    const AnyPoll = addon.Poll as unknown as new (...args: unknown[]) => unknown
    expect(() => new AnyPoll(...args)).toThrow(TypeError)
  })

  it('throws a TypeError when a method is called on something else', () => {
    expect(() => addon.Poll.prototype.start.call({} as never, 1)).toThrow(TypeError)
  })

  it('is collected once it is closed', async () => {
    const program = `
const a = require(${JSON.stringify(binary)})
const registry = new FinalizationRegistry(() => { collected++ })
let collected = 0
const fd = a.socket(1, 1, 0)
for (let i = 0; i < 1000; i++) { const p = new a.Poll(fd, () => {}); registry.register(p, i); p.start(4); p.close() }
setTimeout(async () => { for (let i = 0; i < 10; i++) { gc(); await new Promise((r) => setTimeout(r, 10)) } console.log(collected > 900) }, 10)`
    const output = execFileSync(process.execPath, ['--expose-gc', '-e', program], { encoding: 'utf8' })
    expect(output).toBe('true\n')
  })
})

describe('closeLater', () => {
  it('does not stall the thread on a socket that lingers; close does', async () => {
    const server = startPython(`
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.bind(('127.0.0.1', 0)); s.listen(5); say(s.getsockname()[1]); wait()`)
    const port = Number(await server.line())
    const bomb = () => {
      const fd = addon.socket(c.AF_INET, c.SOCK_STREAM, 0)
      addon.connect(fd, c.AF_INET, '127.0.0.1', port)
      addon.setsockopt(fd, c.SOL_SOCKET, c.SO_LINGER, new Uint8Array(Int32Array.of(1, 1).buffer))
      while (addon.send(fd, new Uint8Array(65536), null) > 0);
      return fd
    }
    const stall = (close: (fd: number) => void) => {
      const fd = bomb()
      const start = performance.now()
      close(fd)
      return performance.now() - start
    }
    const blocked = stall((fd) => addon.close(fd))
    expect(blocked).toBeGreaterThan(900)
    expect(stall((fd) => addon.closeLater(fd))).toBeLessThan(blocked / 2)
    await new Promise((resolve) => setTimeout(resolve, 1100))
  })

  it('closes all, in one job at a time', async () => {
    const pipe = startPython(`wait()`)
    const fds = Array.from({ length: 500 }, () => addon.dup(0))
    for (const fd of fds) addon.closeLater(fd)
    await until(() => fds.every((fd) => typeof addon.fstat(fd) === 'number'))
    pipe.write('end')
  })
})

describe('OwnedFd', () => {
  it('is closed once, released once, and lends nothing afterwards', () => {
    const one = new OwnedFd(addon.dup(0))
    const number = one.fd
    const copy = one.dup()
    expect(copy.fd).not.toBe(number)
    one.close()
    one.close()
    one.closeLater()
    expect(one.closed).toBe(true)
    expect(() => one.fd).toThrow('closed or released')
    expect(() => one.release()).toThrow('closed or released')
    expect(() => one.dup()).toThrow('closed or released')
    const released = copy.release()
    copy.close()
    expect(typeof addon.fstat(released)).toBe('object')
    addon.close(released)
  })

  it('gives its number to a socket of Node’s, which closes it; it is closed here where that throws', async () => {
    const listening = new OwnedFd(addon.socket(c.AF_INET, c.SOCK_STREAM, 0))
    const number = listening.fd
    const server = createServer()
    listening.giveTo((fd) => server.listen({ fd }))
    listening.close()
    expect(openFds().has(number)).toBe(true)
    server.close()
    expect(openFds().has(number)).toBe(false)

    const refused = new OwnedFd(addon.dup(0))
    const other = refused.fd
    expect(() => refused.giveTo(raise)).toThrow('refused')
    expect(openFds().has(other)).toBe(false)
    expect(refused.closed).toBe(true)
  })

  it('leaves its number to a socket of Node’s that has it, or had it, when something throws afterwards', () => {
    const one = new OwnedFd(addon.socket(c.AF_INET, c.SOCK_STREAM, 0))
    const number = one.fd
    const server = createServer()
    expect(() => one.giveTo((fd) => raise(server.listen({ fd })))).toThrow('refused')
    expect(openFds().has(number)).toBe(true)
    server.close()

    const closed = new OwnedFd(addon.socket(c.AF_INET, c.SOCK_STREAM, 0))
    let next = -1
    const closing = (fd: number) => {
      createServer().listen({ fd }).close()
      next = addon.dup(0)
      raise()
    }
    expect(() => closed.giveTo(closing)).toThrow('refused')
    expect(addon.close(next)).toBe(0)
  })

  it.each([-1, 1.5, Number.NaN])('refuses %d', (number) => {
    expect(() => new OwnedFd(number)).toThrow(TypeError)
  })
})

describe('check', () => {
  it('throws what failed, by name and in words', () => {
    expect(check(3, 'socket')).toBe(3)
    expect(() => check(-c.errno.EADDRINUSE, 'bind')).toThrow(
      new SystemError(c.errno.EADDRINUSE, 'bind', 'bind: EADDRINUSE (address already in use)'),
    )
    const error = new SystemError(c.errno.ETOOMANYREFS, 'sendmsg')
    expect(error).toMatchObject({ code: 'ETOOMANYREFS', errno: c.errno.ETOOMANYREFS, syscall: 'sendmsg' })
  })
})

describe('fcntl locks', () => {
  it('are told with the pid of the holder', async () => {
    const path = `/tmp/fdb-lock-${process.pid}`
    const python = startPython(
      `
import fcntl
f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); say('locked'); wait(); os.unlink(sys.argv[1]); say('gone')`,
      [path],
    )
    await python.line()
    using file = new OwnedFd(addon.open(path, c.O_RDWR, 0))
    expect(addon.lock(file.fd)).toBe(-c.errno.EAGAIN)
    expect(addon.lockHolder(file.fd)).toBe(python.pid)
    python.write('end')
    await python.line()
    await python.exit()
    expect(addon.lockHolder(file.fd)).toBe(0)
    expect(addon.lock(file.fd)).toBe(0)
  })
})
