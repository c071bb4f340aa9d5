import { describe, expect, it } from 'vitest'
import type { CoreEvent } from '../core/types.ts'
import { EventQueue } from './event-queue.ts'

const exit = (process: number): CoreEvent => ({ type: 'exit', process })

/** A queue that notes what it hands over, and what is done at some of them. */
function queueWith(at: Record<number, () => void> = {}) {
  const handled: (number | 'settled')[] = []
  const queue = new EventQueue(
    (event) => {
      const { process } = event as { process: number }
      handled.push(process)
      at[process]?.()
    },
    () => handled.push('settled'),
  )
  return { queue, handled }
}

describe('the queue of events', () => {
  it('hands an event over before put() returns', () => {
    const { queue, handled } = queueWith()
    queue.put(exit(1))
    expect(handled).toEqual([1, 'settled'])
  })

  it('hands over what arises from an event after it', () => {
    const { queue, handled } = queueWith({ 1: () => void [2, 3].map((each) => queue.put(exit(each))) })
    queue.put(exit(1))
    expect(handled).toEqual([1, 2, 3, 'settled'])
  })

  it('keeps what comes while it is held, in order', () => {
    const { queue, handled } = queueWith()
    queue.hold()
    queue.put(exit(1))
    queue.put(exit(2))
    expect(handled).toEqual([])
    queue.resume()
    expect(handled).toEqual([1, 2, 'settled'])
  })

  it('stops where it is held by what an event causes', () => {
    const { queue, handled } = queueWith({
      1: () => {
        queue.put(exit(2))
        queue.hold()
      },
    })
    queue.put(exit(1))
    expect(handled).not.toContain(2)
    queue.resume()
    expect(handled).toContain(2)
  })

  it('goes on after an event that could not be handled, with those that had come before', () => {
    const { queue, handled } = queueWith({
      1: () => {
        queue.put(exit(2))
        throw new Error('a fault of ours')
      },
    })
    expect(() => queue.put(exit(1))).toThrow('a fault of ours')
    queue.put(exit(3))
    expect(handled).toEqual([1, 2, 3, 'settled'])
  })
})
