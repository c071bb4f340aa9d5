// A broker that gave up root, and a Unix path in a directory that it cannot write: it says so beforehand, and what is lost there comes back.

import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Asker, type Message } from '../support/asker.ts'
import { Attacker } from '../support/attacker.ts'
import { CLI, type Daemon, IS_ROOT, NOBODY, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'

forbidLeaks()
endPythons()

interface Shut {
  daemon: Daemon
  directory: string
  attacker: Attacker
  viewer: Asker
  state(): Promise<unknown>
  cookie(): Promise<string>
}

/** A holder has shut the socket `web` in a directory of root's; that of `own` is in one of nobody's. */
async function shut(mode = '0666'): Promise<Shut> {
  const top = temporaryDirectory()
  const [directory, own] = [join(top, 'roots'), join(top, 'own')]
  for (const each of [directory, own]) mkdirSync(each, { mode: 0o755 })
  chownSync(own, NOBODY, NOBODY)
  const table = (name: string, at: string) =>
    `[sockets.${name}]\nlisten = "unix://${at}/${name}.sock"\nallow = ["any"]\nsocket_mode = "${mode}"\n`
  const sockets = table('web', directory) + table('own', own)
  const daemon = await startDaemon({ sockets, directory: top, broker: 'user = "nobody"' })
  const attacker = await Attacker.hold(daemon.control, ['web'])
  const viewer = await Asker.connect(daemon.control)
  const view = async () => ((await viewer.ask('list'))['sockets'] as Message[]).find(({ name }) => name === 'web')!
  const state = async () => (await view())['state']
  const cookie = async () => ((await view()) as { sockets: { cookie: string }[] })['sockets'][0]!.cookie
  await attacker.run('held.shutdown(socket.SHUT_RDWR)')
  await until(async () => (await state()) === 'lost', 'the name is lost')
  return { daemon, directory, attacker, viewer, state, cookie }
}

const advice = (directory: string) =>
  `uid ${NOBODY} may not write to ${directory}: give it that directory, or run the broker as root`

describe.runIf(IS_ROOT)(
  'a socket that a holder shuts in a directory that user = "nobody" cannot write (needs root)',
  () => {
    it('is foretold by check --explain, doctor and the log of the start', async () => {
      const { daemon, directory, viewer } = await shut()
      const what = `nobody cannot replace a path in ${directory}: a socket of web that a holder shuts stays lost`
      const told = `${what}: let it lie in a directory of nobody’s own, or run the broker as root, without user`
      const run = (...words: string[]) =>
        execFileSync(process.execPath, [CLI, ...words, daemon.config], { encoding: 'utf8' })
      const warnings = run('check', '--explain')
        .split('\n')
        .filter((line) => line.startsWith('warning: '))
      expect(warnings).toEqual([`warning: ${told}`])
      const { findings } = JSON.parse(run('doctor', '--json', '--config')) as { findings: Message[] }
      expect(findings.filter(({ check }) => check === 'paths')).toEqual([
        expect.objectContaining({ level: 'warning', finding: what }),
      ])
      const logged = daemon.logs().filter(({ msg }) => String(msg).includes('cannot replace a path'))
      expect(logged).toEqual([expect.objectContaining({ msg: told, directory, names: ['web'] })])
      viewer.close()
    })

    it('is replaced while its holder has it, as soon as the directory can be written', async () => {
      const { daemon, directory, state, viewer } = await shut()
      const lost = () => daemon.logs().flatMap(({ msg }) => (String(msg).startsWith('lost: ') ? [msg] : []))
      await until(() => lost().length > 0, 'the log says so')
      expect(lost()).toEqual([expect.stringContaining(advice(directory))])
      chownSync(directory, NOBODY, NOBODY)
      await until(async () => (await state()) === 'repaired', 'it is back')
      viewer.close()
    })

    it.each(['0666', '0600'])(
      'stays lost without its holder, says why, and is bound as soon as the directory can be written (mode %s)',
      async (mode) => {
        const { directory, attacker, state, cookie, viewer } = await shut(mode)
        const before = await cookie()
        await attacker.end()
        await until(async () => (await cookie()) !== before, 'the old one is given up')
        let refused: Message = {}
        await until(async () => {
          refused = await viewer.ask('acquire', { name: 'web' })
          return String(refused['message']).includes('may not write')
        }, 'the address was tried')
        expect(refused).toMatchObject({
          ok: false,
          code: 'SYSTEM',
          message: expect.stringContaining(advice(directory)),
        })
        expect(refused['message']).not.toMatch(/end that|left there/)
        expect(await state()).toBe('lost')
        chownSync(directory, NOBODY, NOBODY)
        expect(await viewer.ask('acquire', { name: 'web', wait: 10_000 })).toMatchObject({ ok: true })
        expect(await state()).toBe('repaired')
        viewer.close()
      },
    )
  },
)
