import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { announceClose } from './announce-close.ts'

function answering({ headersSent = false, complete = true, destroyed = false, last = true } = {}) {
  const calls: string[] = []
  const note = (what: string) => () => void calls.push(what)
  class Socket extends EventEmitter {
    end = note('end')
    destroy = note('destroy')
    destroySoon(): void {
      calls.push('destroySoon')
    }
  }
  const socket = new Socket()
  const heads: unknown[][] = []
  const removed: string[] = []
  const response = {
    headersSent,
    socket,
    removeHeader: (name: string) => removed.push(name),
    writeHead: (...args: unknown[]) => heads.push(args),
  } as unknown as ServerResponse
  const request = Object.assign(new EventEmitter(), { complete, destroyed, resume: note('resume') })
  announceClose(response, request as unknown as IncomingMessage, () => last)
  const writeHead = (...args: unknown[]) => (response.writeHead as (...given: unknown[]) => unknown)(...args)
  return { calls, heads, removed, request, socket, writeHead }
}

describe('the head of a last answer', () => {
  it.each([
    ['a status', [200], [200, { Connection: 'close' }]],
    ['a reason', [200, 'Fine'], [200, 'Fine', { Connection: 'close' }]],
    ['headers', [200, { a: '1' }], [200, { a: '1', Connection: 'close' }]],
    ['a reason and headers', [200, 'Fine', { a: '1' }], [200, 'Fine', { a: '1', Connection: 'close' }]],
    ['keep-alive, in any case', [200, { CONNECTION: 'keep-alive', b: 2 }], [200, { b: 2, Connection: 'close' }]],
    ['names and values', [200, ['a', '1', 'connection', 'x']], [200, ['a', '1', 'Connection', 'close']]],
    ['a value that is the word', [200, ['vary', 'connection']], [200, ['vary', 'connection', 'Connection', 'close']]],
    [
      'pairs',
      [
        200,
        [
          ['a', '1'],
          ['Connection', 'x'],
        ],
      ],
      [
        200,
        [
          ['a', '1'],
          ['Connection', 'close'],
        ],
      ],
    ],
    ['no headers, said so', [200, 'OK', undefined], [200, 'OK', { Connection: 'close' }]],
    ['headers and nothing', [200, { a: '1' }, undefined], [200, { a: '1', Connection: 'close' }]],
    ['headers in the third place', [200, undefined, { a: '1' }], [200, { a: '1', Connection: 'close' }]],
    ['null', [200, null], [200, { Connection: 'close' }]],
    ['an empty list', [200, []], [200, ['Connection', 'close']]],
  ])('announces the end once, whatever the program gives: %s', (_what, given, sent) => {
    const { heads, removed, writeHead } = answering()
    writeHead(...given)
    expect(heads).toEqual([sent])
    expect(removed).toEqual(['Connection'])
  })

  it('does not change the headers that the program gave', () => {
    const given = { Connection: 'keep-alive' }
    answering().writeHead(200, given)
    expect(given).toEqual({ Connection: 'keep-alive' })
  })

  it('says nothing of it while another request waits, or when it is sent already', () => {
    for (const state of [{ last: false }, { headersSent: true }]) {
      const { heads, removed, socket, writeHead } = answering(state)
      writeHead(200, { a: '1' })
      expect([heads, removed]).toEqual([[[200, { a: '1' }]], []])
      expect(Object.hasOwn(socket, 'destroySoon')).toBe(false)
    }
  })
})

describe('the end of its connection', () => {
  it.each([[{ complete: true }], [{ complete: false, destroyed: true }]])('is Node’s own after %j', (state) => {
    const { calls, socket, writeHead } = answering(state)
    writeHead(200)
    socket.destroySoon()
    expect(calls).toEqual(['destroySoon'])
  })

  it('waits for the rest of a request that is not all here: it is read, and then the socket closes', () => {
    const { calls, request, socket, writeHead } = answering({ complete: false })
    writeHead(200)
    socket.destroySoon()
    expect(calls).toEqual(['resume', 'end'])
    request.emit('close')
    expect(calls).toEqual(['resume', 'end', 'destroySoon'])
    socket.emit('close')
  })
})
