import { describe, expect, it } from 'vitest'
import { LeaseEmitter, type LeaseEvents } from './lease-events.ts'

class Emitter extends LeaseEmitter {
  tell<E extends keyof LeaseEvents>(event: E, details: LeaseEvents[E][0]): void {
    this.announce(event, details)
  }
}

const tick = () => new Promise<void>((resolve) => process.nextTick(resolve))
const drain = (deadline: number) => ({ reason: 'takeover', deadline }) as const

describe('what a lease has to say', () => {
  it('is told on a later tick, never during the call', async () => {
    const emitter = new Emitter()
    const heard: unknown[] = []
    emitter.on('drain', (details) => heard.push(details))
    emitter.tell('drain', drain(1))
    expect(heard).toEqual([])
    await tick()
    expect(heard).toEqual([drain(1)])
  })

  it('waits for its first listener, on a later tick than on(), and is told once', async () => {
    const emitter = new Emitter()
    emitter.tell('drain', drain(1))
    await tick()
    const heard: unknown[] = []
    emitter.once('drain', (details) => heard.push(['first', details]))
    expect(heard).toEqual([])
    await tick()
    emitter.on('drain', (details) => heard.push(['second', details]))
    await tick()
    expect(heard).toEqual([['first', drain(1)]])
  })

  it('waits for a listener of its own event', async () => {
    const emitter = new Emitter()
    const heard: unknown[] = []
    emitter.tell('ended', { reason: 'lost' })
    emitter.on('drain', (details) => heard.push(details))
    await tick()
    expect(heard).toEqual([])
    emitter.on('ended', (details) => heard.push(details))
    await tick()
    expect(heard).toEqual([{ reason: 'lost' }])
  })

  it('is the last word where nobody heard the one before', async () => {
    const emitter = new Emitter()
    const heard: unknown[] = []
    emitter.tell('drain', drain(1))
    emitter.tell('drain', drain(2))
    emitter.on('drain', (details) => heard.push(details))
    await tick()
    await tick()
    expect(heard).toEqual([drain(2)])
  })

  it('is kept when its listener has gone before the tick', async () => {
    const emitter = new Emitter()
    const heard: unknown[] = []
    const gone = () => heard.push('gone')
    emitter.on('drain', gone)
    emitter.tell('drain', drain(1))
    emitter.off('drain', gone)
    await tick()
    emitter.on('drain', (details) => heard.push(details))
    await tick()
    expect(heard).toEqual([drain(1)])
  })

  it('reaches every listener that there is', async () => {
    const emitter = new Emitter()
    const heard: string[] = []
    for (const name of ['a', 'b', 'c']) emitter.on('ended', ({ reason }) => heard.push(name + reason))
    emitter.tell('ended', { reason: 'expired' })
    await tick()
    expect(heard).toEqual(['aexpired', 'bexpired', 'cexpired'])
  })
})
