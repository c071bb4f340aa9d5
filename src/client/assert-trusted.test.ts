import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { assertTrusted } from './socket-path.ts'

const OWN = 1000
const directory = mkdtempSync(join(tmpdir(), 'fd-broker-trust-'))
const file = join(directory, 'control.sock')
writeFileSync(file, '')
// Root is believed anyway: the file is given to somebody else where that can be done.
if (process.geteuid?.() === 0) chownSync(file, 54_000, 54_000)
afterAll(() => rmSync(directory, { recursive: true }))
const owner = statSync(file).uid
const stranger = 54_321
const nowhere = '/nonexistent/control.sock'

describe('who listens at the control socket', () => {
  it.each([
    ['root', 0, false],
    ['root, at a path that was named', 0, true],
    ['this user', OWN, false],
    ['this user, at a path that was named', OWN, true],
  ])('is believed when it is %s', (_who, uid, explicit) => {
    expect(() => assertTrusted(uid, { path: nowhere, explicit }, OWN)).not.toThrow()
  })

  it('is believed as the owner of the file only where the path was named', () => {
    const own = owner + 1
    expect(() => assertTrusted(owner, { path: file, explicit: true }, own)).not.toThrow()
    expect(() => assertTrusted(owner, { path: file, explicit: false }, own)).toThrow()
  })

  it.each([
    ['at the default path', nowhere, false],
    ['at a path that was named and is gone', nowhere, true],
    ['at a path that was named and is another’s', file, true],
  ])('is refused as a stranger %s, with the uid, the path and the way out', (_where, path, explicit) => {
    const words = `uid ${stranger} listens at ${path}, which is neither root nor this user; `
    expect(() => assertTrusted(stranger, { path, explicit }, OWN)).toThrow(
      expect.objectContaining({ code: 'CLOSED', message: expect.stringContaining(words) }),
    )
    expect(() => assertTrusted(stranger, { path, explicit }, OWN)).toThrow('FD_BROKER_SOCKET')
  })
})
