import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { STATUS_MAX } from './limits.ts'
import { parseNotify, type SdNotice } from './sd-notify.ts'

const said = (text: string) => parseNotify(text).notices

describe('a notify datagram', () => {
  it('says one thing a line', () => {
    const { notices, junk } = parseNotify('READY=1\nSTATUS=grüße\nMAINPID=42\nWATCHDOG=1\nSTOPPING=1\n')
    const kinds: SdNotice[] = [
      { kind: 'READY' },
      { kind: 'STATUS', text: 'grüße' },
      { kind: 'MAINPID', pid: 42 },
      { kind: 'WATCHDOG' },
      { kind: 'STOPPING' },
    ]
    expect(notices).toEqual(kinds)
    expect(junk).toBe(0)
  })

  it('says a thing once, the first time', () => {
    expect(said('STATUS=a\nSTATUS=b\nMAINPID=1\nMAINPID=2')).toEqual([
      { kind: 'STATUS', text: 'a' },
      { kind: 'MAINPID', pid: 1 },
    ])
  })

  it.each([
    'READY=0',
    'READY=',
    'READY',
    'ready=1',
    ' READY=1',
    'READY=1 ',
    'STOPPING=yes',
    'WATCHDOG=trigger',
    'MAINPID=0',
    'MAINPID=-1',
    'MAINPID=1e3',
    'MAINPID=4194305',
    'MAINPID=12345678901234567890',
    'constructor=1',
    '=1',
    '\0\uFFFD',
  ])('counts %j as junk', (line) => {
    expect(parseNotify(line)).toEqual({ notices: [], junk: 1 })
  })

  it.each(['BARRIER=1', 'FDSTORE=1\nFDNAME=x', 'RELOADING=1\nMONOTONIC_USEC=5', 'X_VENDOR=anything', '', '\n\n'])(
    'lets %j pass without effect',
    (text) => expect(parseNotify(text)).toEqual({ notices: [], junk: 0 }),
  )

  it('has a status without what could forge a line or the state of a terminal', () => {
    expect(said('STATUS=a\u001B[31mb\rc\u202Ed\u2028e\u0085f')).toEqual([{ kind: 'STATUS', text: 'a [31mb c d e f' }])
  })

  it('has a status of whole characters, however long it was', () => {
    const [notice] = said(`STATUS=x${'😀'.repeat(1000)}`)
    expect(notice).toEqual({ kind: 'STATUS', text: `x${'😀'.repeat((STATUS_MAX - 1) >> 2)}` })
  })

  it('is read whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { notices, junk } = parseNotify(text)
        expect(notices.length).toBeLessThanOrEqual(5)
        expect(junk).toBeLessThanOrEqual(text.split('\n').length)
      }),
    )
  })
})
