import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { UserNames } from './user-names.ts'

let directory = ''
const write = (text: string, changed: number) => {
  const file = join(directory, 'passwd')
  writeFileSync(file, text)
  utimesSync(file, changed, changed)
  return file
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'names-'))
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true })
})

it('names a uid by its first entry, and in digits when it has none', () => {
  const names = new UserNames(write('root:x:0:0::/:\nweb:x:33:33::/:\nweb2:x:33:33::/:\n', 1))
  expect([0, 33, 4242].map((uid) => names.of(uid))).toEqual(['root', 'web', '4242'])
})

it('answers in digits where there is no such file', () => {
  expect(new UserNames(join(directory, 'none')).of(0)).toBe('0')
})

it('reads the file again when it has changed, looking once a second at most', () => {
  const names = new UserNames(write('a:x:1:1::/:\n', 1))
  expect(names.of(1)).toBe('a')
  write('b:x:1:1::/:\n', 2)
  vi.advanceTimersByTime(999)
  expect(names.of(1)).toBe('a')
  vi.advanceTimersByTime(1)
  expect(names.of(1)).toBe('b')
})

it('keeps what it knew when the file is gone', () => {
  const names = new UserNames(write('a:x:1:1::/:\n', 1))
  names.of(1)
  rmSync(join(directory, 'passwd'))
  vi.advanceTimersByTime(1000)
  expect(names.of(1)).toBe('a')
})
