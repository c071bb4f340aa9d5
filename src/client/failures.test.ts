import { constants } from 'node:os'
import { describe, expect, it } from 'vitest'
import { ERRORS } from '../protocol/errors.ts'
import { SystemError } from '../sys/index.ts'
import type { Message } from './answers.ts'
import { awayTooLong, cannotConnect, connectionLost, isAway, noAnswer, refusal, systemFailure } from './failures.ts'

const system = (code: keyof typeof constants.errno) => new SystemError(constants.errno[code], 'connect', `said ${code}`)
const answer = (message: Message) => ({ message, fds: [], fdsLost: false })

describe('a failure to reach the broker', () => {
  it.each([
    ['ENOENT', true],
    ['ECONNREFUSED', true],
    ['EAGAIN', true],
    ['EACCES', false],
    ['EPROTOTYPE', false],
    ['EMFILE', false],
  ] as const)('%s is worth another attempt: %s', (code, away) => {
    expect(isAway(system(code))).toBe(away)
  })

  it('is not worth another attempt for its code alone: it must come from a system call', () => {
    expect(isAway(Object.assign(new Error('x'), { code: 'ENOENT' }))).toBe(false)
    expect(isAway(undefined)).toBe(false)
  })

  it.each([
    ['ENOENT', 'no broker has its control socket at /c (ENOENT, tried for 70 ms): '],
    ['ECONNREFUSED', 'no broker listens at /c (ECONNREFUSED, tried for 70 ms): '],
    ['EAGAIN', 'the broker takes no more connections at /c (EAGAIN, tried for 70 ms): '],
  ] as const)('that lasts says what %s means, for how long, and what to do', (code, words) => {
    const cause = system(code)
    const error = awayTooLong('/c', cause, 70)
    expect(error.message.startsWith(words)).toBe(true)
    expect(error.message).toContain('FD_BROKER_SOCKET')
    expect([error.code, error.cause]).toEqual(['CLOSED', cause])
  })

  it('without an errno is a broker that closes every connection', () => {
    expect(awayTooLong('/c', undefined, 70).message).toMatch(
      /^the broker closes every connection at \/c \(ECONNRESET, tried for 70 ms\)/,
    )
  })

  it.each([
    ['EACCES', 'CLOSED', 'control_mode'],
    ['EPROTOTYPE', 'CLOSED', "/c is not a broker's control socket"],
    ['EMFILE', 'SYSTEM', 'RLIMIT_NOFILE'],
    ['EIO', 'SYSTEM', 'cannot connect to the broker at /c: said EIO'],
  ] as const)('that patience does not help against: %s is %s', (errno, code, words) => {
    const cause = system(errno)
    expect(cannotConnect('/c', cause)).toMatchObject({ code, cause, message: expect.stringContaining(words) })
  })

  it('that is no system call’s is passed on as it is', () => {
    const fault = new TypeError('a fault')
    expect(cannotConnect('/c', fault)).toBe(fault)
  })

  it('names its cause only where there is one', () => {
    expect(Object.hasOwn(connectionLost('/c', undefined), 'cause')).toBe(false)
    const cause = new Error('why')
    expect(connectionLost('/c', cause).cause).toBe(cause)
  })

  it('by silence names the verb and the time', () => {
    const { code, message } = noAnswer('/c', 'acquire', 4.9996)
    expect([code, message]).toEqual(['CLOSED', expect.stringContaining('did not answer acquire within 5 ms')])
  })

  it('by silence advises nothing that only one of the SDK and the command line has', () => {
    expect(noAnswer('/c', 'list', 5).message).toMatch(
      /it is stopped \(`ps` shows the state T\), or it or its host is overloaded/,
    )
    expect(noAnswer('/c', 'list', 5).message).not.toContain('timeout')
  })

  it('of the descriptor table is told apart from every other one of the system', () => {
    expect(systemFailure('no', system('EMFILE')).message).toMatch(/^no: EMFILE, this process has no free descriptor/)
    expect(systemFailure('no', new Error('why')).message).toBe('no: why')
  })
})

describe('a refusal', () => {
  it('is none where ok is true, even with a code', () => {
    expect(refusal(answer({ id: 1, ok: true, code: 'BUSY' }))).toBeUndefined()
  })

  it.each(Object.keys(ERRORS))('%s keeps its code, message and details', (code) => {
    const error = refusal(answer({ id: 1, ok: false, code, message: 'why', name: 'web', supported: [1] }))
    expect(error).toMatchObject({ code, message: 'why' })
    expect(error?.details).toEqual({ name: 'web', supported: [1] })
  })

  it.each([[undefined], [null], [1], ['busy'], ['toString'], ['__proto__']])(
    'with the unknown code %j breaks the protocol',
    (code) => {
      const error = refusal(answer({ id: 1, ok: false, code, message: 'why' }))
      expect(error?.code).toBe('PROTOCOL')
      expect(error?.message).toBe(`the broker answered with the unknown code ${JSON.stringify(code)}: why`)
    },
  )

  it.each([[undefined], [1], ['true'], [{}]])('is what an answer with ok = %j is', (ok) => {
    expect(refusal(answer({ id: 1, ok, code: 'BUSY', message: 'full' }))?.code).toBe('BUSY')
  })
})
