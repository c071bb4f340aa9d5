import { expect, it } from 'vitest'
import { inspect } from './gate.ts'
const b = (h: string) => Uint8Array.from(Buffer.from(h.replace(/ /g, ''), 'hex'))
it('passes a plain map and reads its id', () => {
  expect(inspect(b('82 a2 6964 05 a2 6f70 a4 6c697374'))).toMatchObject({ fault: undefined, id: 5, floats: [] })
})
it('follows the structure behind a fault to the id', () => {
  expect(inspect(b('82 a1 78 d4 01 00 a2 6964 cd 0102'))).toMatchObject({ id: 258, fault: 'it holds an extension type' })
})
it('ends on a claimed length that is not there', () => {
  expect(inspect(b('81 a1 78 dd ffffffff'))).toMatchObject({ fault: 'the packet ends too early' })
  expect(inspect(b('df ffffffff'))).toMatchObject({ fault: 'the packet ends too early' })
})
it('counts nesting from the outermost map', () => {
  expect(inspect(b('81 a1 78 91 91 91 91 90')).fault).toBeUndefined()
  expect(inspect(b('82 a1 78 91 91 91 91 91 90 a2 6964 01'))).toMatchObject({ id: 1, fault: 'it is nested deeper than 6' })
})
