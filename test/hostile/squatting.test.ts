// Paths of Unix sockets in directories that others may write. In a sticky one nobody can take what is there, so there must always be
// something; in one that belongs to the attacker he may do as he likes, but not have root change other files for him.

import { chmodSync, lstatSync, mkdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseAddress } from '../../src/protocol/address.ts'
import { addon, constants as c } from '../../src/sys/addon.ts'
import { type BoundSocket, openSocket } from '../../src/sys/listen.ts'
import { openSuccessor } from '../../src/sys/replace-socket.ts'
import { Attacker } from '../support/attacker.ts'
import { atEnd } from '../support/cleanup.ts'
import { IS_ROOT, startDaemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { report, times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { startSquatter } from '../support/squatter.ts'

forbidLeaks()
endPythons()

function sticky(): string {
  const directory = join(temporaryDirectory(), 'sticky')
  mkdirSync(directory)
  chmodSync(directory, 0o1777)
  return directory
}

const listen = (path: string): BoundSocket => openSocket(parseAddress(`unix://${path}`), {}, 16)

/** What a client of the path gets to: the socket itself. */
function reaches(path: string, { fd }: BoundSocket): boolean {
  const client = addon.socket(c.AF_UNIX, c.SOCK_STREAM | c.SOCK_NONBLOCK, 0)
  const connected = addon.connect(client, c.AF_UNIX, path, 0)
  addon.setNonblock(fd.fd, 1)
  const accepted = connected === 0 ? addon.accept(fd.fd) : -1
  for (const each of [client, accepted]) if (each >= 0) addon.close(each)
  return accepted >= 0
}

/** Another socket takes over while the first one serves. */
function succeed(path: string, old: BoundSocket): BoundSocket {
  const { socket, takeOver } = openSuccessor(old, {}, 16)
  takeOver().settle()
  old.close()
  expect(lstatSync(path).uid).toBe(0)
  return socket
}

/** As after a kill -9: the path stays, and nobody is bound to it. */
function restart(path: string, old: BoundSocket): BoundSocket {
  old.fd.close()
  return listen(path)
}

describe.runIf(IS_ROOT)(
  'the path of a socket in a sticky directory (needs root, for another user)',
  { timeout: 180_000 },
  () => {
    it('is taken by a squatter that is at it all the time where the former is removed before the next one is bound', async () => {
      const path = join(sticky(), 'web.sock')
      const squatter = await startSquatter(path)
      let taken = 0
      for (let round = 0; round < 20_000 && taken === 0; round++) {
        try {
          const socket = listen(path)
          socket.fd.close()
          unlinkSync(path)
        } catch {
          taken++
        }
      }
      expect(taken).toBeGreaterThan(0)
      expect(await squatter.end()).toBeGreaterThan(0)
    })

    const rounds = times(200, 1000)
    it.each([
      [`in ${rounds} replacements`, succeed],
      [`in ${rounds} starts after a death`, restart],
    ])('is never taken %s', async (what, next) => {
      const path = join(sticky(), 'web.sock')
      let socket = listen(path)
      atEnd(() => socket.close())
      const squatter = await startSquatter(path)
      let lost = 0
      for (let round = 0; round < rounds; round++) {
        socket = next(path, socket)
        if (!reaches(path, socket)) lost++
      }
      const had = await squatter.end()
      report(`path squatting ${what}`, { lost, had })
      expect({ lost, had }).toEqual({ lost: 0, had: 0 })
    })

    const repairs = times(4, 40)
    it(`nor while the guard replaces a socket that a holder shuts, ${repairs} times`, async () => {
      const path = join(sticky(), 'web.sock')
      const daemon = await startDaemon({ sockets: `[sockets.web]\nlisten = "unix://${path}"\nallow = ["any"]\n` })
      const squatter = await startSquatter(path)
      for (let round = 0; round < repairs; round++) {
        const { ino } = lstatSync(path)
        const attacker = await Attacker.hold(daemon.control, ['web'], round + 1)
        expect(await attacker.run('held.shutdown(socket.SHUT_RDWR)')).toBe('done')
        await until(() => lstatSync(path).ino !== ino, 'another socket')
        await attacker.end()
      }
      const had = await squatter.end()
      report('path squatting in repairs', { repairs, had })
      expect({ had, uid: lstatSync(path).uid }).toEqual({ had: 0, uid: 0 })
      await stopCleanly(daemon)
    })
  },
)
