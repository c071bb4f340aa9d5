// The live view with a terminal and a broker of the test's own.

import { getEventListeners, once } from 'node:events'
import { expect, it, vi } from 'vitest'
import type { Broker } from '../../client/index.ts'
import { Live } from './live.ts'
import type { Terminal } from './screen.ts'

function terminal() {
  const gone = new Set<() => void>()
  const listen = () => () => {}
  const raw = vi.fn((wanted: boolean) => {
    if (wanted) return
    // As the `error` event of a terminal that is not there any more: thrown where nobody listens.
    if (gone.size === 0) throw new Error('setRawMode EIO')
    for (const listener of gone) listener()
  })
  const made: Terminal = {
    size: () => ({ columns: 80, rows: 24 }),
    write: () => {},
    raw,
    onKeys: listen,
    onResize: listen,
    onContinue: listen,
    onGone: (listener) => {
      gone.add(listener)
      return () => gone.delete(listener)
    },
    onExit: listen,
    suspend: () => {},
  }
  const close = () => {
    for (const listener of gone) listener()
  }
  return { made, raw, close, gone }
}

function view(events: (signal: AbortSignal) => AsyncIterable<never>) {
  const { made, ...rest } = terminal()
  const broker = {
    list: async () => [],
    holders: async () => [],
    history: async () => [],
    events: ({ signal }: { signal: AbortSignal }) => events(signal),
  } as unknown as Broker
  const look = { colour: false, unicode: true }
  const done = Live.run(broker, { terminal: made, look, interval: 1, now: () => 0, onStop: () => () => {} })
  return { ...rest, done }
}

// biome-ignore lint/correctness/useYield: it tells nothing
async function* silence(signal: AbortSignal): AsyncGenerator<never> {
  await once(signal, 'abort')
}

it('a window that has closed is left without an error', async () => {
  const { close, done, gone, raw } = view(silence)
  await expect.poll(() => gone.size).toBe(1)
  close()
  await done
  expect(raw.mock.lastCall).toEqual([false])
  expect(gone.size).toBe(0)
})

it('a broker that tells no events is asked again and again, and that leaves nothing behind', async () => {
  let times = 0
  let heard: AbortSignal | undefined
  const { close, done } = view((signal) => {
    times++
    heard = signal
    throw new Error('DENIED')
  })
  await expect.poll(() => times).toBeGreaterThan(12)
  expect(getEventListeners(heard!, 'abort').length).toBeLessThan(2)
  close()
  await done
})
