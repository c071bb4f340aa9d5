import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { rehearse, whileWaiting } from '../../src/client/rehearsal.ts'
import { runChild } from '../support/child.ts'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

it('a rehearsal takes the way of a grant to its end, and leaves nothing behind', async () => {
  const before = process.getActiveResourcesInfo().length
  await rehearse([2, 1])
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before)
})

it('who waits rehearses meanwhile, once; who does not wait does not', async () => {
  let rehearsals = 0
  const settleAs = whileWaiting(async () => {
    rehearsals++
  })
  expect(await settleAs(Promise.resolve('granted at once'))).toBe('granted at once')
  await sleep(30)
  expect(rehearsals).toBe(0)
  expect(await settleAs(sleep(100, 'granted late'))).toBe('granted late')
  await expect(settleAs(sleep(30).then(() => Promise.reject(new Error('refused late'))))).rejects.toThrow(
    'refused late',
  )
  expect(rehearsals).toBe(1)
})

it('a rehearsal that fails is not the failure of who waits', async () => {
  const settleAs = whileWaiting(() => Promise.reject(new Error('no descriptor is left')))
  expect(await settleAs(sleep(50, 'granted'))).toBe('granted')
})

it.each([2, 3, 4, 5])('a rehearsal that finds %i descriptors free leaves as many', async (free) => {
  const script = `
    import { closeSync, openSync } from 'node:fs'
    import { rehearse } from ${JSON.stringify(new URL('../../dist/client/rehearsal.js', import.meta.url).href)}
    await rehearse([1])
    const held = []
    const fill = () => { try { for (;;) held.push(openSync('/dev/null')) } catch { return held.length } }
    const all = fill()
    for (let i = 0; i < ${free}; i++) closeSync(held.pop())
    console.log(await rehearse([2]).then(() => 'done', () => 'refused'))
    await new Promise((resolve) => setImmediate(resolve))
    console.log(all - fill())`
  const result = await runChild(script, { directory: temporaryDirectory(), socket: '/nonexistent', descriptors: 128 })
  expect(result).toEqual({ code: 0, stdout: expect.stringMatching(/^(done|refused)\n0\n$/), stderr: '' })
})
