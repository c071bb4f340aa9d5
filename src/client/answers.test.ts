import { describe, expect, it } from 'vitest'
import { type Answer, Parts } from './answers.ts'

const part = (number: unknown, parts: unknown, sockets: unknown[] = []): Answer => ({
  message: { id: 1, ok: true, part: number, parts, sockets },
  fds: [],
  fdsLost: false,
})

describe('an answer in parts', () => {
  it('is whole at once when it has no parts', () => {
    const answer: Answer = { message: { id: 1, ok: true }, fds: [], fdsLost: false }
    expect(new Parts().add(answer)).toBe(answer)
  })

  it('is joined in the order of the numbers, whatever the order of arrival', () => {
    const parts = new Parts()
    expect(parts.add(part(3, 3, ['c']))).toBeUndefined()
    expect(parts.add(part(1, 3, ['a']))).toBeUndefined()
    expect(parts.add(part(2, 3, ['b']))?.message).toEqual({ id: 1, ok: true, sockets: ['a', 'b', 'c'] })
  })

  it('has lost descriptors when any part has', () => {
    const parts = new Parts()
    parts.add({ ...part(1, 2), fdsLost: true })
    expect(parts.add(part(2, 2))?.fdsLost).toBe(true)
  })

  it.each([
    ['the same part twice', part(1, 2)],
    ['another total', part(2, 3)],
    ['no number', part(undefined, undefined)],
    ['a number beyond the total', part(3, 2)],
    ['the number 0', part(0, 2)],
  ])('is refused with %s', (_what, next) => {
    const parts = new Parts()
    parts.add(part(1, 2))
    expect(() => parts.add(next)).toThrow()
  })
})
