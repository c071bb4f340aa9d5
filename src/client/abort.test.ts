import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { within } from './abort.ts'

describe('a wait with limits', () => {
  it('settles as its promise, and leaves no listener on the signal', async () => {
    const { signal } = new AbortController()
    expect(await within(Promise.resolve(1), { signal, timeout: 60_000 })).toBe(1)
    await expect(within(Promise.reject(new Error('no')), { signal })).rejects.toThrow('no')
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('rejects with the signal’s reason, before or during', async () => {
    const controller = new AbortController()
    const waiting = within(new Promise(() => {}), { signal: controller.signal })
    controller.abort('why')
    await expect(waiting).rejects.toBe('why')
    await expect(within(new Promise(() => {}), { signal: controller.signal })).rejects.toBe('why')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  it('rejects when the time is over; Infinity never is', async () => {
    await expect(within(new Promise(() => {}), { timeout: 5, late: () => new Error('late') })).rejects.toThrow('late')
    const slow = new Promise((resolve) => setTimeout(resolve, 20, 'slow'))
    expect(await within(slow, { timeout: Number.POSITIVE_INFINITY })).toBe('slow')
  })
})
