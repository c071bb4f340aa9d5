import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addon, constants } from '../../src/sys/addon.ts'
import { ExitSet } from '../../src/sys/exit-set.ts'
import { OwnedFd } from '../../src/sys/owned-fd.ts'
import { isAlive, type Peer, type PeerOptions, peerOf, pidfdWith, processOf } from '../../src/sys/peer.ts'
import { ProcessWatch } from '../../src/sys/pidfd.ts'
import { hasPidfs, inodeOf } from '../../src/sys/pidfs.ts'
import { processFacts } from '../../src/sys/process-facts.ts'
import { atEnd } from '../support/cleanup.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, type Python, startPython, until } from '../support/python.ts'

forbidLeaks()
endPythons()
const root = process.getuid!() === 0

async function withPeer(
  program: string,
  test: (connection: OwnedFd, python: Python) => void | Promise<void>,
  uid?: number,
): Promise<void> {
  const path = `@fd-broker-peer-${process.pid}`
  using listener = new OwnedFd(addon.socket(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0))
  addon.bind(listener.fd, constants.AF_UNIX, path, 0)
  addon.listen(listener.fd, 5)
  const connect = `${program}
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect('\\0' + sys.argv[1][1:]); say('connected'); wait()`
  const python = startPython(connect, [path], uid)
  await python.line()
  using connection = new OwnedFd(addon.accept(listener.fd))
  await test(connection, python)
}

function close(peer: Peer): void {
  peer.pidfd?.close()
}

const ways: PeerOptions[] = [{ identify: 'kernel' }, { identify: 'open' }]

describe.each(ways)('peerOf, %o', (options) => {
  it('names the process that connected, with a pidfd of it', async () => {
    await withPeer('', (connection, python) => {
      const peer = peerOf(connection.fd, options)
      expect(peer).toMatchObject({ pid: python.pid, uid: process.getuid!(), gid: process.getgid!() })
      expect(readFileSync(`/proc/self/fdinfo/${peer.pidfd!.fd}`, 'utf8')).toMatch(
        new RegExp(`^Pid:\\s+${python.pid}$`, 'm'),
      )
      close(peer)
    })
  })

  it('identifies a process the same at every connection, and differently from another process', async () => {
    const identities: (string | undefined)[] = []
    const note = (connection: OwnedFd) => {
      const peer = peerOf(connection.fd, options)
      identities.push(peer.identity)
      close(peer)
    }
    await withPeer('', (connection) => {
      note(connection)
      note(connection)
    })
    await withPeer('', note)
    expect(identities[0]).toEqual(expect.any(String))
    expect(identities[1]).toBe(identities[0])
    expect(identities[2]).not.toBe(identities[0])
  })

  it.runIf(root)('names another uid (needs root to become it)', async () => {
    await withPeer(
      '',
      (connection) => {
        const peer = peerOf(connection.fd, options)
        expect(peer).toMatchObject({ uid: 65534, gid: 65534 })
        expect(peer.pidfd).toBeDefined()
        close(peer)
      },
      65534,
    )
  })

  it.runIf(root)('tells more than 64 supplementary groups (needs root to have them)', async () => {
    const groups = Array.from({ length: 1000 }, (_, i) => 60000 + i)
    await withPeer('os.setgroups(list(range(60000, 61000)))', (connection) => {
      const peer = peerOf(connection.fd, options)
      expect(peer.groups.sort((a, b) => a - b)).toEqual(groups)
      close(peer)
    })
  })

  it('has no living pidfd of a process that is gone', async () => {
    await withPeer('', async (connection, python) => {
      python.write('end')
      await python.exit()
      const peer = peerOf(connection.fd, options)
      expect(peer.pid).toBe(python.pid)
      expect(peer.pidfd === undefined || !isAlive(peer.pidfd)).toBe(true)
      expect(processFacts(peer, ALL)).toBeUndefined()
      close(peer)
    })
  })
})

it.runIf(root)('without SO_PEERPIDFD a pid that has another uid by now is not believed (needs root)', async () => {
  await withPeer('', async (connection, python) => {
    python.write('')
    await python.exit()
    const other = startPython(`say('up'); wait()`, [], 65534)
    await other.line()
    expect(peerOf(connection.fd, { identify: 'open' }).pidfd).toBeUndefined()
  })
})

const ALL = { exe: true, cgroup: true }

describe('processFacts', () => {
  it('are the program and the cgroup, as far as they are wanted', async () => {
    const python = startPython(`say('up'); wait()`)
    await python.line()
    using pidfd = new OwnedFd(addon.pidfdOpen(python.pid))
    const facts = processFacts({ pid: python.pid, pidfd }, ALL)!
    expect(facts.exe).toMatch(/\/python3/)
    expect(facts.cgroup).toBe(/^0::(.*)$/m.exec(readFileSync(`/proc/${python.pid}/cgroup`, 'utf8'))?.[1])
    expect(processFacts({ pid: python.pid, pidfd }, { exe: true, cgroup: false })).toEqual({ exe: facts.exe })
    expect(processFacts({ pid: python.pid, pidfd }, { exe: false, cgroup: false })).toEqual({})
    pidfd.close()
    expect(processFacts({ pid: python.pid, pidfd }, ALL)).toBeUndefined()
  })

  it('are undefined once the process is a zombie', async () => {
    const parent = startPython(`
child = os.fork()
if child == 0: os._exit(0)
os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT); say(child); wait()`)
    const pid = Number(await parent.line())
    const pidfd = new OwnedFd(addon.pidfdOpen(pid))
    expect(isAlive(pidfd)).toBe(false)
    expect(processFacts({ pid, pidfd }, ALL)).toBeUndefined()
    pidfd.close()
  })
})

/** Not a zombie, which has ended. */
const isRunning = (pid: number) => !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))

const exitSet = () => {
  const exits = new ExitSet()
  atEnd(() => exits.close())
  return exits
}

describe('ProcessWatch', () => {
  it('tells once that the process ended, and signals it through the pidfd', async () => {
    const python = startPython(`say('up'); wait()`)
    await python.line()
    let exits = 0
    const watch = new ProcessWatch(new OwnedFd(addon.pidfdOpen(python.pid)), exitSet(), () => exits++)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(exits).toBe(0)
    watch.signal('SIGTERM')
    await until(() => exits === 1)
    await python.exit()
    expect(() => watch.signal('SIGTERM')).toThrow(expect.objectContaining({ code: 'ESRCH' }))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(exits).toBe(1)
    watch.close()
    watch.close()
  })

  it('tells of a process that had ended before', async () => {
    const python = startPython(`say('up'); wait()`)
    await python.line()
    const pidfd = new OwnedFd(addon.pidfdOpen(python.pid))
    python.process.kill('SIGKILL')
    await python.exit()
    let exits = 0
    const watch = new ProcessWatch(pidfd, exitSet(), () => {
      exits++
      watch.close()
    })
    await until(() => exits === 1)
  })

  it('closed from within its callback or before it, says no more', async () => {
    const python = startPython(`say('up'); wait()`)
    await python.line()
    let exits = 0
    const watch = new ProcessWatch(new OwnedFd(addon.pidfdOpen(python.pid)), exitSet(), () => exits++)
    watch.close()
    python.process.kill('SIGKILL')
    await python.exit()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(exits).toBe(0)
  })

  it('of many that end at once tells of each once, but of none that another one’s end has closed', async () => {
    const exits = exitSet()
    const pythons = Array.from({ length: 6 }, () => startPython(`say('up'); wait()`))
    const told: number[] = []
    const watches = pythons.map(({ pid }, index) => {
      return new ProcessWatch(new OwnedFd(addon.pidfdOpen(pid)), exits, () => {
        told.push(index)
        watches[index ^ 1]!.close()
      })
    })
    for (const python of pythons) await python.line()
    // While this loop is kept busy: all of them are ready in the same turn.
    for (const python of pythons) process.kill(python.pid, 'SIGKILL')
    while (pythons.some(({ pid }) => isRunning(pid)));
    await until(() => told.length === 3)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(told.map((index) => index >> 1).sort()).toEqual([0, 1, 2])
    for (const watch of watches) watch.close()
    for (const python of pythons) await python.exit()
  })

  it('takes a descriptor out of a process by its pidfd', async () => {
    const python = startPython(`r, w = os.pipe(); os.write(w, b'x'); say(r); wait()`)
    const number = Number(await python.line())
    using pidfd = new OwnedFd(addon.pidfdOpen(python.pid))
    using taken = new OwnedFd(addon.pidfdGetfd(pidfd.fd, number))
    expect(addon.poll(taken.fd, constants.POLLIN)).toBe(constants.POLLIN)
  })
})

describe('pidfdWith, of a process of before a restart', () => {
  const own = () => processOf(process.pid, process.getuid!())!

  it.runIf(hasPidfs())('takes the pidfd that was kept of it (needs Linux 6.9)', () => {
    const { identity, pidfd } = own()
    using found = pidfdWith(identity!, process.pid, pidfd)
    expect(found).toBe(pidfd)
  })

  it('closes one that was kept of another process, and looks for its own', async () => {
    const python = startPython("say('here'); wait()")
    await python.line()
    const other = processOf(python.pid, process.getuid!())!
    const { identity, pidfd } = own()
    using mine = pidfd
    using found = pidfdWith(identity!, process.pid, other.pidfd)
    expect(other.pidfd!.closed).toBe(true)
    expect(inodeOf(found!.fd)).toBe(inodeOf(mine!.fd))
    expect(pidfdWith(other.identity!, process.pid, mine!.dup())).toBeUndefined()
    python.write('')
    await python.exit()
    expect(pidfdWith(other.identity!, python.pid, undefined)).toBeUndefined()
  })
})
