import fc from 'fast-check'
import { parse } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { keyLines } from './key-lines.ts'
import type { KeyPath } from './key-path.ts'

/** The place of a key in a text that the TOML parser accepts, as "line:column". */
function place(text: string, path: KeyPath): string | undefined {
  parse(text)
  const position = keyLines(text).at(path)
  return position && `${position.line}:${position.column}`
}

describe('key lines', () => {
  it('finds plain keys under their headers', () => {
    const text = '# one\n[broker]\ncontrol = "/x"\n\n[sockets.web]\n  listen = "a"\n'
    expect(place(text, ['broker', 'control'])).toBe('3:1')
    expect(place(text, ['sockets', 'web'])).toBe('5:10')
    expect(place(text, ['sockets', 'web', 'listen'])).toBe('6:3')
    expect(place(text, ['sockets', 'web', 'absent'])).toBeUndefined()
  })

  it('finds each part of a dotted key', () => {
    const text = '[sockets]\nweb . "x.y".z = 1'
    expect(place(text, ['sockets', 'web'])).toBe('2:1')
    expect(place(text, ['sockets', 'web', 'x.y'])).toBe('2:7')
    expect(place(text, ['sockets', 'web', 'x.y', 'z'])).toBe('2:13')
  })

  it('unquotes keys, in headers too', () => {
    const text = '[sockets."a/b"]\n"lis\\u0074en" = 1\n\'raw\\n\' = 2\n[sockets.\'c]#\']\nx=1'
    expect(place(text, ['sockets', 'a/b'])).toBe('1:10')
    expect(place(text, ['sockets', 'a/b', 'listen'])).toBe('2:1')
    expect(place(text, ['sockets', 'a/b', 'raw\\n'])).toBe('3:1')
    expect(place(text, ['sockets', 'c]#', 'x'])).toBe('5:1')
  })

  it('is not taken in by #, = and brackets inside strings', () => {
    const text = 'a = "x # = [y] \\" ]"\nb = \'# "\' # c = 1\nd = ["]", \'[\', "#"]\ne = 1'
    expect(place(text, ['b'])).toBe('2:1')
    expect(place(text, ['c'])).toBeUndefined()
    expect(place(text, ['d', 2])).toBe('3:16')
    expect(place(text, ['e'])).toBe('4:1')
  })

  it('steps over multi-line strings', () => {
    const text =
      'a = """\nx = 1\n[t] \\""" still\n"""\nb = \'\'\'\ny = 2\'\'\'\nc = """""two"""""\nd = \'\'\'\'\'\'\ne = 1'
    expect(place(text, ['x'])).toBeUndefined()
    expect(place(text, ['y'])).toBeUndefined()
    expect(place(text, ['b'])).toBe('5:1')
    expect(place(text, ['c'])).toBe('7:1')
    expect(place(text, ['d'])).toBe('8:1')
    expect(place(text, ['e'])).toBe('9:1')
  })

  it('finds the elements of an array over several lines with comments', () => {
    const text = 'listen = [ # ], not yet\n  "a", # "no"\n\n  ["b", "c"],\n  { d = 1 },\n]\nend = 1'
    expect(place(text, ['listen', 0])).toBe('2:3')
    expect(place(text, ['listen', 1])).toBe('4:3')
    expect(place(text, ['listen', 1, 1])).toBe('4:9')
    expect(place(text, ['listen', 2, 'd'])).toBe('5:5')
    expect(place(text, ['listen', 3])).toBeUndefined()
    expect(place(text, ['end'])).toBe('7:1')
  })

  it('finds keys in inline tables', () => {
    const text = 'web = { listen = "}", opt = { a.b = [1, 2] }, c = 1979-05-27 07:32:00 }\nnext = 1'
    expect(place(text, ['web', 'opt', 'a', 'b'])).toBe('1:33')
    expect(place(text, ['web', 'opt', 'a', 'b', 1])).toBe('1:41')
    expect(place(text, ['web', 'c'])).toBe('1:47')
    expect(place(text, ['next'])).toBe('2:1')
  })

  it('counts [[arrays of tables]], and puts their sub-tables below the last element', () => {
    const text = '[[a.b]]\nx = 1\n[[a.b]]\nx = 2\n[a.b.c]\ny = 3\n[[a.b.d]]\nz = 4'
    expect(place(text, ['a', 'b', 0, 'x'])).toBe('2:1')
    expect(place(text, ['a', 'b', 1])).toBe('3:5')
    expect(place(text, ['a', 'b', 1, 'x'])).toBe('4:1')
    expect(place(text, ['a', 'b', 1, 'c', 'y'])).toBe('6:1')
    expect(place(text, ['a', 'b', 1, 'd', 0, 'z'])).toBe('8:1')
  })

  it('prefers the own header of a table that was implied before', () => {
    expect(place('[a.b]\nx = 1\n[a]\ny = 1', ['a'])).toBe('3:2')
  })

  it('counts lines the same with CRLF and a byte order mark', () => {
    expect(place('\ufeffa = 1\r\n\r\n[b]\r\nc = [\r\n1]\r\n', ['b', 'c', 0])).toBe('5:1')
  })

  it('falls back to the table around a missing key', () => {
    const lines = keyLines('[sockets.web]\nlisten = []')
    expect(lines.nearest(['sockets', 'web', 'allow', 3])).toEqual({ line: 1, column: 10 })
    expect(lines.nearest(['tokens'])).toBeUndefined()
  })

  it('does not choke on a dotted key of very many parts', () => {
    expect(keyLines(`${'a.'.repeat(200_000)}a = 1\nb = 2`).at(['b'])).toEqual({ line: 2, column: 1 })
  })

  it('ends on any text, also one that is no TOML', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'[]{}="\'\\#,.\n ab') }), (text) => void scan(text)))
  })

  it('finds every key of generated TOML on the line where it was written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(keyName, tomlValue), { maxLength: 8 }), fc.boolean(), (pairs, table) => {
        const { text, places } = write(pairs, table)
        for (const [path, line] of places) expect(keyLines(text).at(path)?.line).toBe(line)
        parse(text)
      }),
    )
  })
})

/** Broken quotes may make a key undecodable; that is the parser's to tell, not a reason to hang. */
function scan(text: string): void {
  try {
    keyLines(text)
  } catch (error) {
    expect((error as Error).name).toMatch(/Error/)
  }
}

const nasty = fc.string({ unit: fc.constantFrom('#', '=', '[', ']', '{', '}', ',', '"', "'", '\\', ' ', 'a', '\n') })
const keyName = nasty.map((text) => JSON.stringify(text))
const tomlValue = fc.oneof(
  nasty.map((text) => JSON.stringify(text)),
  nasty.map((text) => `'''${text.replaceAll("'", '')}'''`),
  nasty.map((text) => `"""\n${text.replaceAll('\\', '').replaceAll('"', '')}"""`),
  nasty.map((text) => `[ # ${text.replaceAll('\n', '')}\n${JSON.stringify(text)},\n 1 ]`),
  nasty.map((text) => `{ ${JSON.stringify(text)} = [ 1, "]" ] }`),
  fc.constant('1979-05-27T07:32:00Z'),
)

/** A text with unique keys, and the line of each. */
function write(pairs: readonly [string, string][], table: boolean) {
  const places: [KeyPath, number][] = []
  let text = table ? '["t # ]".x]\n' : ''
  const prefix = table ? ['t # ]', 'x'] : []
  for (const [index, [key, value]] of pairs.entries()) {
    places.push([[...prefix, `${index}`, JSON.parse(key)], text.split('\n').length])
    text += `${index}.${key} = ${value} # ${index}\n`
  }
  return { text, places }
}
