// What a broker leaves that is killed after bind() and before rename(): a socket beside a path, which nothing is bound to.

import { chownSync, existsSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { pathBeside } from '../../src/sys/unix-path.ts'
import { IS_ROOT, NOBODY, startDaemon, temporaryDirectory, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'

forbidLeaks()
endPythons()

const BIND = `
for path in sys.argv[1:]: keep = [*globals().get('keep', []), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)]; keep[-1].bind(path)
say('bound')
wait()
`

async function left(...paths: string[]): Promise<void> {
  const python = startPython(BIND, paths)
  await python.line()
  python.write('')
  await python.exit()
}

it('is removed by the next broker, and what is somebody’s is not', async () => {
  const directory = temporaryDirectory()
  const at = (name: string) => `${directory}/${name}.sock`
  const stray = pathBeside(at('web'))
  const others = { living: pathBeside(at('web')), file: pathBeside(at('web')), ofNoName: pathBeside(at('none')) }
  const ofAnother = pathBeside(at('web'))
  await left(stray, others.ofNoName, ofAnother)
  writeFileSync(others.file, '')
  if (IS_ROOT) chownSync(ofAnother, NOBODY, NOBODY)
  const living = startPython(BIND, [others.living])
  await living.line()

  const sockets = `[sockets.web]\nlisten = "unix://${at('web')}"\nallow = ["any"]\n[sockets.a]\nlisten = "unix://@${directory}"\nallow = ["any"]`
  const daemon = await startDaemon({ sockets })
  await until(() => !existsSync(stray), 'it is removed')
  for (const path of Object.values(others)) expect([path, existsSync(path)]).toEqual([path, true])
  expect(existsSync(ofAnother)).toBe(IS_ROOT)
  await left(stray)
  expect(await daemon.stop()).toBe(0)
  expect(existsSync(stray)).toBe(false)
  for (const path of Object.values(others)) expect([path, existsSync(path)]).toEqual([path, true])
  living.write('')
  await living.exit()
})
