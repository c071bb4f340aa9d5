import { expect, it, vi } from 'vitest'
import { Paced } from './paced.ts'

function paced() {
  vi.useFakeTimers()
  const done: string[] = []
  return { done, work: new Paced<'told' | 'silent'>(20, 'told', (name, how) => done.push(`${name} ${how}`)) }
}

it('does at once what is asked for first, and once for all that is asked for within the pause', () => {
  const { done, work } = paced()
  for (let i = 0; i < 1000; i++) work.ask('web', 'silent')
  expect(done).toEqual(['web silent'])
  vi.advanceTimersByTime(20)
  expect(done).toEqual(['web silent', 'web silent'])
  vi.advanceTimersByTime(1000)
  expect(done).toHaveLength(2)
  work.ask('web', 'told')
  expect(done).toHaveLength(3)
  work.close()
})

it('does it in the way that prevails when one of them asked for that', () => {
  const { done, work } = paced()
  for (const how of ['silent', 'silent', 'told', 'silent'] as const) work.ask('web', how)
  vi.advanceTimersByTime(20)
  expect(done).toEqual(['web silent', 'web told'])
  work.close()
})

it('lets no name wait for another, and does nothing after close', () => {
  const { done, work } = paced()
  work.ask('web', 'silent')
  work.ask('api', 'silent')
  work.ask('api', 'silent')
  expect(done).toEqual(['web silent', 'api silent'])
  work.close()
  vi.advanceTimersByTime(1000)
  expect(done).toHaveLength(2)
})
