import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { constants } from './addon.ts'
import { isPassing } from './passing-errors.ts'

it('the same errors pass here and in the addon', () => {
  const header = readFileSync(new URL('../../native/passing.h', import.meta.url), 'utf8')
  const inAddon = [...header.matchAll(/case (\w+):/g)].map(([, code]) => code)
  const here = Object.entries(constants.errno).flatMap(([code, errno]) => (isPassing(errno) ? [code] : []))
  expect(here.sort()).toEqual(inAddon.sort())
})
