import { lstatSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import {
  exitOf,
  IS_ROOT,
  launch,
  NOBODY,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  until,
  writeConfig,
} from '../support/daemon.ts'
import { report, times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'
import { startWorker } from '../support/worker.ts'

forbidLeaks()
endPythons()

const WEB = '[sockets.web]\nlisten = "unix://{dir}/web.sock"\nallow = ["any"]'

describe('the control path', () => {
  const starts = times(6, 50)
  it(`goes to one of ${starts} brokers that start at once; the others say who has it`, {
    timeout: 120_000,
  }, async () => {
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: WEB })
    const daemons = Array.from({ length: starts }, () => launch(directory, config))
    const ends = await Promise.all(
      daemons.map(async (daemon) => {
        const serves = until(() => daemon.logs().some(({ msg }) => msg === 'serving'), 'it serves', 100_000).then(
          () => 'serves',
        )
        return Promise.race([serves.catch(() => 'neither'), exitOf(daemon).then(String)])
      }),
    )
    const winner = daemons[ends.indexOf('serves')]!
    expect(ends.filter((end) => end === 'serves')).toHaveLength(1)
    expect(ends.filter((end) => end === '111')).toHaveLength(starts - 1)
    const told = daemons.filter((daemon) => daemon.stderr().includes(`pid ${winner.pid}`) && daemon !== winner)
    report('parallel starts', { starts, winners: 1, told: told.length })
    expect(told).toHaveLength(starts - 1)
    const asker = await Asker.connect(winner.control)
    expect(await asker.ask('list')).toMatchObject({ ok: true })
    asker.close()
    await stopCleanly(winner)
  })

  it.each([
    ['a symbolic link to a file', (path: string) => symlinkSync('/etc/hostname', path)],
    ['a dangling symbolic link', (path: string) => symlinkSync('/nowhere/at/all', path)],
    ['a directory', (path: string) => mkdirSync(path)],
    ['a file', (path: string) => writeFileSync(path, 'mine')],
  ])('is never taken from %s', async (_, make) => {
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: WEB })
    make(`${directory}/control.sock`)
    const before = lstatSync(`${directory}/control.sock`)
    const daemon = launch(directory, config)
    expect(await exitOf(daemon)).toBe(111)
    expect(daemon.stderr()).toMatch(/control\.sock is (a symbolic link|a directory|not a socket): remove it/)
    expect(lstatSync(`${directory}/control.sock`).ino).toBe(before.ino)
  })

  it('that another file was renamed over is left alone at the end', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    writeFileSync(`${daemon.directory}/other`, 'mine')
    renameSync(`${daemon.directory}/other`, daemon.control)
    expect(await daemon.stop()).toBe(0)
    expect(lstatSync(daemon.control).isFile()).toBe(true)
  })

  it.runIf(IS_ROOT)('and a name’s cannot be squatted, moved or replaced by another user (needs root)', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const tries = times(50, 1000)
    const program = `
def attempt(run):
    try: run(); return 'done'
    except PermissionError: return 'refused'
    except OSError as error: return 'refused' if error.errno in (13, 1, 98) else str(error)
def squat(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one: one.bind(path)
directory = os.path.dirname(sys.argv[2])
results = set()
for _ in range(${tries}):
    for path in (sys.argv[2], directory + '/web.sock'):
        results |= {attempt(run) for run in (
            lambda: squat(path), lambda: os.unlink(path), lambda: os.rename(path, path + '.old'), lambda: os.symlink('/tmp/x', path + '.lnk'),
            lambda: os.rename(directory, directory + '.old'), lambda: squat(path + '.new'), lambda: os.chmod(path, 0o777))}
    results.add(attempt(lambda: os.listdir(sys.argv[2] + '.notify')))
    results.add(attempt(lambda: open(sys.argv[2] + '.lock', 'w')))
say(*results)
`
    const worker = startWorker(daemon, program, NOBODY)
    expect(await worker.line()).toBe('refused')
    report('path squatting', { tries: tries * 16, done: 0 })
    await worker.exit()
    await stopCleanly(daemon)
  })
})
