import { describe, expect, it } from 'vitest'
import { parseStartTime, parseUid } from './proc.ts'
import { parseCgroup, parseCommand, unitOfCgroup } from './process-facts.ts'
import { parseUnixTable } from './socket-owner.ts'
import { pathBeside } from './unix-path.ts'

describe('unitOfCgroup', () => {
  it.each([
    ['/system.slice/web.service', 'web.service'],
    ['/system.slice/system-app.slice/app@1.service/worker', 'app@1.service'],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/evil.service', 'user@1000.service'],
    ['/user.slice/user-1000.slice/session-3.scope', 'session-3.scope'],
    ['/init.scope', 'init.scope'],
    ['/_cpu.service', 'cpu.service'],
    ['/system.slice', undefined],
    ['/', undefined],
    ['/docker/0123abcd/web.service', undefined],
    ['/../../web.service', undefined],
    ['/system.slice/web.service.d/x', undefined],
  ])('of %s is %s', (cgroup, unit) => {
    expect(unitOfCgroup(cgroup)).toBe(unit)
  })
})

it('the cgroup is the v2 hierarchy’s, also beside v1 ones', () => {
  expect(parseCgroup('4:memory:/a\n0::/b c\n')).toBe('/b c')
  expect(parseCgroup('4:memory:/a\n')).toBeUndefined()
})

it('a command line has its arguments joined and its control characters written out', () => {
  expect(parseCommand('a\0b c\0')).toBe('a b c')
  expect(parseCommand('a\0\n\x1b[2J\x7f\u009b\u202e\u2028')).toBe('a \\x0a\\x1b[2J\\x7f\\x9b\\u{202e}\\u{2028}')
})

it('a program’s name with blanks and parentheses does not shift the start time', () => {
  const rest = Array.from({ length: 50 }, (_, i) => String(i + 4)).join(' ')
  expect(parseStartTime(`1 (a) b (c)) S ${rest}`)).toBe(22)
})

it('the uid is the effective one', () => {
  expect(parseUid('Name:\tx\nUid:\t1\t2\t3\t4\n')).toBe(2)
})

it('of the sockets that bear a path the listener comes first', () => {
  const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000: 00000003 00000000 00000000 0001 03 11 /run/x y.sock
0000: 00000002 00000000 00010000 0001 01 22 /run/x y.sock
0000: 00000002 00000000 00010000 0001 01 33 /run/x
0000: 00000002 00000000 00000000 0002 01 44`
  expect(parseUnixTable(table, '/run/x y.sock')).toEqual(['22', '11'])
  expect(parseUnixTable(table, '/run/x')).toEqual(['33'])
  const beside = pathBeside('/run/x y.sock')
  expect(parseUnixTable(table.replaceAll('/run/x y.sock', beside), '/run/x y.sock')).toEqual(['22', '11'])
})
