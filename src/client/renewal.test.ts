import { openSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { OwnedFd } from '../sys/index.ts'
import type { Answer } from './answers.ts'
import type { ReceivedSockets } from './received-sockets.ts'
import { Renewal } from './renewal.ts'

const warned: string[] = []
beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(process, 'emitWarning').mockImplementation((text) => void warned.push(String(text)))
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
  warned.length = 0
})

const open = () => new OwnedFd(openSync('/dev/null', 'r'))
const event = (fds: OwnedFd[] = [], fdsLost = false): Answer => ({ message: { sockets: [] }, fds, fdsLost })
const full = () => Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' })

/** A lease; `answers` are what the broker says, one after another, and `refusals` why they cannot be taken. */
function renewing(
  answers: (ReceivedSockets | Error | Promise<ReceivedSockets>)[],
  refusals: (Error | undefined)[] = [],
) {
  const taken: ReceivedSockets[] = []
  let asked = 0
  const renewal = new Renewal({
    name: 'web',
    fetch: async () => {
      const answer = await answers[asked++]!
      if (answer instanceof Error) throw answer
      return answer
    },
    take: (received) => {
      const refusal = refusals.shift()
      if (refusal) throw refusal
      taken.push(received)
    },
  })
  return { renewal, taken, asked: () => asked }
}

const nothing = (): ReceivedSockets => ({ sockets: [], fds: [] })

it('takes what an event brings at once', () => {
  const { renewal, taken, asked } = renewing([])
  renewal.hear(event())
  expect([taken, asked(), warned]).toEqual([[nothing()], 0, []])
})

it('asks at once where an event came without its descriptors, and closes those that came', async () => {
  const fd = open()
  const { renewal, taken } = renewing([nothing()])
  renewal.hear(event([fd], true))
  await vi.advanceTimersByTimeAsync(0)
  expect([taken, fd.closed, warned]).toEqual([[nothing()], true, []])
})

it('closes what cannot be taken, says why once, and asks until it can', async () => {
  const fds = [open(), open()]
  const received = fds.map((fd) => ({ sockets: [], fds: [fd] }))
  const { renewal, taken, asked } = renewing(
    [received[0]!, new Error('no answer'), received[1]!, nothing()],
    [full(), full(), full()],
  )
  renewal.hear(event())
  await vi.advanceTimersByTimeAsync(60_000)
  expect([asked(), taken, fds.map(({ closed }) => closed)]).toEqual([4, [nothing()], [true, true]])
  expect(warned).toEqual([expect.stringMatching(/^fd-broker: the new sockets of web .*EMFILE.*RLIMIT_NOFILE/)])
})

it('says it again for the next event', () => {
  const { renewal } = renewing([], [full(), undefined, full()])
  for (let i = 0; i < 3; i++) renewal.hear(event())
  expect(warned).toHaveLength(2)
  renewal.close()
})

it('takes no answer that is older than an event', async () => {
  const fd = open()
  let answer: (received: ReceivedSockets) => void = () => {}
  const { renewal, taken } = renewing([new Promise((resolve) => (answer = resolve))])
  renewal.fetch()
  renewal.hear(event())
  answer({ sockets: [], fds: [fd] })
  await vi.advanceTimersByTimeAsync(60_000)
  expect([taken, fd.closed]).toEqual([[nothing()], true])
})

it('asks no more, and takes nothing, once it is closed', async () => {
  const fd = open()
  let answer: (received: ReceivedSockets) => void = () => {}
  const { renewal, taken, asked } = renewing([new Promise((resolve) => (answer = resolve)), nothing()])
  renewal.fetch()
  renewal.close()
  answer({ sockets: [], fds: [fd] })
  renewal.fetch()
  await vi.advanceTimersByTimeAsync(60_000)
  expect([taken, asked(), fd.closed, warned]).toEqual([[], 1, true, []])
})

it('asks no more once it is closed, also where it was to', async () => {
  const fd = open()
  const { renewal, asked } = renewing([nothing()], [full()])
  renewal.hear(event())
  renewal.close()
  renewal.hear(event([fd]))
  expect(fd.closed).toBe(true)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked()).toBe(0)
})
