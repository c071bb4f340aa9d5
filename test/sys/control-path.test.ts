import { chmodSync, existsSync, lchownSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ControlListener } from '../../src/sys/control-listener.ts'
import { prepareControlPath, releaseControlPath } from '../../src/sys/control-path.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython, until } from '../support/python.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
endPythons()
const scratch = useScratch()
const root = process.getuid!() === 0

function prepare(path: string): void {
  prepareControlPath(path).lock.close()
}

const bindStale = `
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1])
if len(sys.argv) > 2: s.listen(5)
say('bound'); wait()`

describe('prepareControlPath', () => {
  it('makes the missing directories, 0755', () => {
    prepare(scratch.at('a/b/control.sock'))
    expect(statSync(scratch.at('a')).mode & 0o7777).toBe(0o755)
    expect(statSync(scratch.at('a/b')).mode & 0o7777).toBe(0o755)
    expect(statSync(scratch.at('a/b/control.sock.lock')).mode & 0o7777).toBe(0o600)
  })

  it('refuses a directory that is a symbolic link to nothing', () => {
    symlinkSync(scratch.at('nothing'), scratch.at('d'))
    expect(() => prepare(scratch.at('d/c.sock'))).toThrow('symbolic link to nothing')
    expect(existsSync(scratch.at('nothing'))).toBe(false)
  })

  it('refuses a directory below one that everybody may write to: it could be replaced as a whole', () => {
    mkdirSync(scratch.at('open/private'), { recursive: true })
    chmodSync(scratch.at('open'), 0o777)
    const path = scratch.at('open/private/control.sock')
    expect(() => prepareControlPath(path)).toThrow(/others may write to .*open and could replace .*open\/private/)
    chmodSync(scratch.at('open'), 0o1777)
    releaseControlPath(path, prepareControlPath(path))
  })

  it('refuses a directory that others may write to, but for a sticky one', () => {
    mkdirSync(scratch.at('d'))
    for (const mode of [0o777, 0o775]) {
      chmodSync(scratch.at('d'), mode)
      expect(() => prepare(scratch.at('d/c.sock'))).toThrow(`chmod go-w ${scratch.at('d')}`)
    }
    chmodSync(scratch.at('d'), 0o1777)
    prepare(scratch.at('d/c.sock'))
  })

  it.runIf(root)('refuses a directory of another user (needs root to make one)', () => {
    mkdirSync(scratch.at('d'))
    lchownSync(scratch.at('d'), 65534, 65534)
    expect(() => prepare(scratch.at('d/c.sock'))).toThrow('belongs to uid 65534')
  })

  it.each(['control.sock', '@control'])('refuses %s, which is no absolute path', (path) => {
    expect(() => prepare(path)).toThrow('not absolute')
  })

  it('says which process has the lock', async () => {
    const python = startPython(
      `
import fcntl
f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); say('locked'); wait()`,
      [scratch.at('c.sock.lock')],
    )
    await python.line()
    expect(() => prepare(scratch.at('c.sock'))).toThrow(
      `another broker (pid ${python.pid}) runs on ${scratch.at('c.sock')}`,
    )
  })

  it('refuses a lock file that is a symbolic link, or no file', () => {
    symlinkSync('/etc/passwd', scratch.at('c.sock.lock'))
    expect(() => prepare(scratch.at('c.sock'))).toThrow('symbolic link')
    mkdirSync(scratch.at('d.sock.lock'))
    expect(() => prepare(scratch.at('d.sock'))).toThrow('EISDIR')
  })

  it.each([
    ['a file', (path: string) => writeFileSync(path, 'precious')],
    ['a symbolic link', (path: string) => symlinkSync('/nowhere', path)],
    ['a directory', (path: string) => mkdirSync(path)],
  ])('refuses %s at the path, and does not remove it', (_, make) => {
    make(scratch.at('c.sock'))
    expect(() => prepare(scratch.at('c.sock'))).toThrow('remove it, or choose another path')
    expect(lstatSync(scratch.at('c.sock')).isSocket()).toBe(false)
  })

  it('removes a socket that nobody is behind', async () => {
    const python = startPython(bindStale, [scratch.at('c.sock')])
    await python.line()
    python.process.kill('SIGKILL')
    await python.exit()
    prepare(scratch.at('c.sock'))
    expect(existsSync(scratch.at('c.sock'))).toBe(false)
  })

  it('says who answers on the path', async () => {
    const python = startPython(bindStale, [scratch.at('c.sock'), 'listen'])
    await python.line()
    expect(() => prepare(scratch.at('c.sock'))).toThrow(`pid ${python.pid} answers on`)
    expect(existsSync(scratch.at('c.sock'))).toBe(true)
  })

  it('takes one that is bound and does not listen yet for living', async () => {
    const python = startPython(bindStale, [scratch.at('c.sock')])
    await python.line()
    expect(() => prepare(scratch.at('c.sock'))).toThrow(`pid ${python.pid} answers on`)
  })

  it.runIf(root)('refuses the stale socket of another user (needs root to make one)', async () => {
    const python = startPython(bindStale, [scratch.at('c.sock')])
    await python.line()
    python.process.kill('SIGKILL')
    await python.exit()
    lchownSync(scratch.at('c.sock'), 65534, 65534)
    expect(() => prepare(scratch.at('c.sock'))).toThrow('belongs to uid 65534')
  })

  it('lets one in of several that wait while a clean exit removes the lock', async () => {
    const path = scratch.at('c.sock')
    const control = prepareControlPath(path)
    const listener = ControlListener.listen(path, 0o600, () => {})
    const program = `
import fcntl
while True:
    try:
        f = open(sys.argv[1] + '.lock', 'a'); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(sys.argv[1] + '.lock').st_ino == os.fstat(f.fileno()).st_ino: break
    except OSError: pass
    time.sleep(0.001)
say('in'); wait()`
    const others = Array.from({ length: 4 }, () => startPython(program, [path]))
    let inside = 0
    for (const other of others)
      void other
        .line()
        .then(() => inside++)
        .catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(inside).toBe(0)
    listener.removePath()
    listener.close()
    releaseControlPath(path, control)
    await until(() => inside > 0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(inside).toBe(1)
    expect(() => prepare(path)).toThrow('another broker (pid')
  })
})
