import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isBeside, pathBeside } from './unix-path.ts'

describe('a path beside another', () => {
  it('is in the same directory, hidden, and known as that one’s', () => {
    const beside = pathBeside('/run/app/web.sock')
    expect(beside).toMatch(/^\/run\/app\/\.[0-9a-z]{6}$/)
    expect(isBeside(beside, '/run/app/web.sock')).toBe(true)
  })

  it.each(['/run/app/api.sock', '/run/other/web.sock', '@web', '/run/app/web.sock.old'])(
    'is not that of %s',
    (other) => {
      expect(isBeside(pathBeside('/run/app/web.sock'), other)).toBe(false)
    },
  )

  it.each(['/run/app/a', '/run/app/.hidden', '/run/app/.12345', '@abstract', ''])('%s is beside nothing', (bound) => {
    expect(isBeside(bound, '/run/app/web.sock')).toBe(false)
  })

  it('is known as its own for any name', () => {
    const name = fc
      .string({ minLength: 1, maxLength: 40, unit: 'binary' })
      .filter((text) => !/[/\0]|^\.\.?$/.test(text))
    fc.assert(fc.property(name, (text) => isBeside(pathBeside(`/run/${text}`), `/run/${text}`)))
  })
})
