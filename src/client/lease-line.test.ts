import { openSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../protocol/errors.ts'
import { OwnedFd } from '../sys/index.ts'
import type { Answer, Message } from './answers.ts'
import type { Connection, LeaseSink, RequestOptions } from './connection.ts'
import { LeaseLine, leasesAt } from './lease-line.ts'

const answer = (message: Message = {}, fds: OwnedFd[] = []): Answer => ({ message, fds, fdsLost: false })
const socket = (cookie: string) => ({ type: 'tcp', address: 'tcp://127.0.0.1:1', backlog: 1, cookie }) as const
const lost = () => new BrokerError('CLOSED', 'lost')
const tick = () => new Promise((resolve) => setImmediate(resolve))

/** A connection whose every request is answered by `reply`. */
function connecting(path: string, reply: (op: string) => Answer | Error = () => answer()) {
  const asked: string[] = []
  const sinks = new Map<number, LeaseSink>()
  const connection = {
    path,
    ended: undefined as BrokerError | undefined,
    attach: (lease: number, sink: LeaseSink) => void sinks.set(lease, sink),
    detach: (lease: number) => void sinks.delete(lease),
    request: async (op: string, _args: unknown, { answered }: RequestOptions = {}) => {
      asked.push(op)
      const given = reply(op)
      if (given instanceof Error) throw given
      answered?.(given)
      return given
    },
  }
  return { asked, sinks, plain: connection, connection: connection as unknown as Connection }
}

function lining(path: string, { reclaims = true, reply }: { reclaims?: boolean; reply?: () => Answer | Error } = {}) {
  const owner = {
    timeout: 1000,
    lines: new Set<LeaseLine>(),
    ended: undefined,
    away: () => new BrokerError('CLOSED', 'nobody is there'),
    willReclaim: () => reclaims,
  }
  const first = connecting(path, reply)
  const line = new LeaseLine(owner, first.connection, { lease: 7, name: 'web' })
  const heard: unknown[] = []
  const end = {
    onEvent: ({ message }: Answer) => void heard.push(message),
    onLost: (error: BrokerError) => void heard.push(error.message),
    onOutdated: () => void heard.push('outdated'),
    sockets: () => [socket('1')],
  }
  const lose = (at = first) => {
    at.plain.ended = lost()
    line.onLost(at.plain.ended)
  }
  return { owner, first, line, heard, end, lose }
}

describe('the line of a lease', () => {
  it('keeps what came before the lease was ready for it, in order, and then passes on', () => {
    const { line, heard, end } = lining('/early')
    for (const n of [1, 2]) line.onEvent(answer({ n }))
    line.connect(end)
    line.onEvent(answer({ n: 3 }))
    expect(heard).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    line.forget()
  })

  it('tells a lease that was not ready yet that it is lost, after what came before', () => {
    const { line, heard, end, lose } = lining('/lost', { reclaims: false })
    line.onEvent(answer({ n: 1 }))
    lose()
    line.connect(end)
    expect(heard).toEqual([{ n: 1 }, 'lost'])
  })

  it('is listed for its own path until it is forgotten', () => {
    const { line, owner } = lining('/listed')
    expect([leasesAt('/listed'), leasesAt('/other'), owner.lines.has(line)]).toEqual([[7], [], true])
    line.forget()
    expect([leasesAt('/listed'), owner.lines.size]).toEqual([[], 0])
  })

  it('is given back when the broker refuses the reclaim, for whoever has nothing', async () => {
    const { line, end, lose } = lining('/refused')
    line.connect(end)
    lose()
    line.moveTo(connecting('/refused', () => new BrokerError('DENIED', 'not yours')).connection)
    await expect(line.release()).resolves.toBeUndefined()
  })

  it('asks again on the next connection what was lost with the first, and the lease notices nothing', async () => {
    const { line, heard, end, first, lose } = lining('/again', { reply: () => first.plain.ended ?? answer() })
    line.connect(end)
    lose()
    const asking = line.request('ready')
    await tick()
    expect(first.asked).toEqual([])
    const next = connecting('/again', (op) => answer({ op }))
    line.moveTo(next.connection)
    expect((await asking).message).toEqual({ op: 'ready' })
    expect([next.asked, heard, next.sinks.get(7)]).toEqual([['reclaim', 'ready'], [], line])
    line.forget()
  })

  it('closes the descriptors of a reclaim: the lease has its own', () => {
    const { line, end, lose } = lining('/fds')
    const fd = new OwnedFd(openSync('/dev/null', 'r'))
    line.connect(end)
    lose()
    line.moveTo(connecting('/fds', () => answer({ sockets: [socket('1')] }, [fd])).connection)
    expect(fd.closed).toBe(true)
    line.forget()
  })

  it.each([
    ['the same', ['1'], []],
    ['another', ['2'], ['outdated']],
    ['one more', ['1', '2'], ['outdated']],
  ])('tells the lease after a reclaim only when its sockets have changed: %s', (_what, cookies, told) => {
    const { line, heard, end, lose } = lining('/sockets')
    line.connect(end)
    lose()
    const next = connecting('/sockets', () => answer({ sockets: cookies.map(socket) }))
    line.moveTo(next.connection)
    expect([next.asked, heard]).toEqual([['reclaim'], told])
    line.forget()
  })

  it.each([
    ['ENDED with its reason', 'ENDED', { reason: 'expired' }, [{ event: 'ended', lease: 7, reason: 'expired' }, 'no']],
    ['ENDED without one', 'ENDED', {}, [{ event: 'ended', lease: 7, reason: 'revoked' }, 'no']],
    ['any other code', 'DENIED', {}, ['no']],
  ] as const)('is over when its reclaim is refused: %s', async (_what, code, details, told) => {
    const { line, heard, end, lose, owner } = lining('/refused')
    line.connect(end)
    lose()
    const refused = new BrokerError(code, 'no', { details })
    const asking = line.request('ready')
    const next = connecting('/refused', () => refused)
    line.moveTo(next.connection)
    await expect(asking).rejects.toMatchObject({ name: 'BrokerError', code, message: 'no', details })
    expect([heard, owner.lines.size, next.sinks.size, leasesAt('/refused')]).toEqual([told, 0, 0, []])
  })

  it('is not over when the connection of its reclaim is lost too', async () => {
    const { line, heard, end, lose } = lining('/twice')
    line.connect(end)
    lose()
    const next = connecting('/twice', () => next.plain.ended!)
    next.plain.ended = lost()
    line.moveTo(next.connection)
    await tick()
    expect([heard, leasesAt('/twice')]).toEqual([[], [7]])
    line.forget()
  })
})

describe('the release of a lease', () => {
  it('asks once, detaches first, and forgets', async () => {
    const { line, first } = lining('/release')
    const releasing = line.release()
    expect([first.sinks.size, first.asked]).toEqual([0, ['release']])
    await releasing
    expect(leasesAt('/release')).toEqual([])
  })

  it('that is refused rejects, and is forgotten all the same', async () => {
    const { line } = lining('/fault', { reply: () => new BrokerError('SYSTEM', 'no') })
    await expect(line.release()).rejects.toThrow('no')
    expect(leasesAt('/fault')).toEqual([])
  })

  it('is put off while the broker is away: the next connection reclaims and releases, and no event is heard', async () => {
    const { line, first, heard, end, lose } = lining('/away')
    line.connect(end)
    lose()
    await line.release()
    expect([first.asked, leasesAt('/away')]).toEqual([[], [7]])
    const next = connecting('/away')
    line.moveTo(next.connection)
    expect([next.asked, next.sinks.size, heard]).toEqual([['reclaim', 'release'], 0, []])
    await tick()
    expect(leasesAt('/away')).toEqual([])
  })

  it('of a lease whose connection never comes back asks nobody', async () => {
    const { line, first, lose } = lining('/gone', { reclaims: false })
    lose()
    await line.release()
    await expect(line.request('ready')).rejects.toThrow('lost')
    expect([first.asked, leasesAt('/gone')]).toEqual([[], []])
  })
})
