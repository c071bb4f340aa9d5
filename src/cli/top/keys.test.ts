import { expect, it } from 'vitest'
import { readKeys } from './keys.ts'

it.each<[string, string[]]>([
  ['q', ['q']],
  ['jjk', ['j', 'j', 'k']],
  ['\u001b', ['escape']],
  ['\u001b[A\u001b[B', ['up', 'down']],
  ['\u001bOA', ['up']],
  ['\u001b[5~\u001b[6~', ['page-up', 'page-down']],
  ['\r', ['enter']],
  ['\u0003', ['ctrl-c']],
  ['\u007f', ['backspace']],
  ['ü漢', ['ü', '漢']],
])('%j is %j', (text, keys) => {
  expect(readKeys(text)).toEqual(keys)
})

it('a key that means nothing leaves no letters behind: a mouse, F5 or a pasted sequence drains nobody', () => {
  expect(readKeys('\u001b[15~\u001b[<0;12;5M\u001b[1;5D\u001b[200~')).toEqual([])
  expect(readKeys('\u0000\u0001')).toEqual([])
})
