// Who has a Unix path: the one whose socket is there now, not one that had it earlier, whatever name the kernel tells of either.

import { renameSync } from 'node:fs'
import { expect, it } from 'vitest'
import { findSocketOwner } from '../../src/sys/socket-owner.ts'
import { pathBeside } from '../../src/sys/unix-path.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
endPythons()
const scratch = useScratch()

const LISTENER = `
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(5)
say('bound'); wait()`

it.each([
  ['one at its path, then one beside it', (path: string) => [path, pathBeside(path)]],
  ['one beside it, then one at its path', (path: string) => [pathBeside(path), path]],
  ['two beside it', (path: string) => [pathBeside(path), pathBeside(path)]],
])('of several that were bound to it, %s: the last', async (_, bound) => {
  const path = scratch.at('s')
  for (const [index, at] of bound(path).entries()) {
    if (index > 0 && at === path) renameSync(path, scratch.at('elsewhere'))
    const python = startPython(LISTENER, [at])
    await python.line()
    if (at !== path) renameSync(at, path)
    expect(findSocketOwner({ type: 'unix', path })?.pid).toBe(python.pid)
  }
})
