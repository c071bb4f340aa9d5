import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'

/** A directory of one's own for each test of the file. */
export function useScratch(): { readonly path: string; at(name: string): string } {
  let path = ''
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'fdb-'))
  })
  afterEach(() => rmSync(path, { recursive: true, force: true }))
  return {
    get path() {
      return path
    },
    at: (name) => join(path, name),
  }
}
