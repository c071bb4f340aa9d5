import { describe, expect, it } from 'vitest'
import { SharedLooks } from './shared-looks.ts'

const always = () => true

/** Looks that end when the test says so; each remembers which keys it was for. */
function looking() {
  const begun: { keys: readonly string[]; end: (error?: Error) => void }[] = []
  const look = (keys: readonly string[]) =>
    new Promise<number>((resolve, reject) => {
      const at = begun.length
      begun.push({ keys, end: (error) => (error ? reject(error) : resolve(at)) })
    })
  const shown: string[] = []
  const looks = new SharedLooks<string, number, string>(look, async (key, seen) => {
    shown.push(key)
    return `${key} of look ${seen}`
  })
  return { begun, shown, looks }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('looks that many ask for', () => {
  it('are two for a thousand who ask during the first, and each has what was seen after it asked', async () => {
    const { begun, shown, looks } = looking()
    const first = looks.view('a', always)
    const more = Array.from({ length: 1000 }, (_, n) => looks.view(n % 2 ? 'a' : 'b', always))
    begun[0]!.end()
    expect(await first).toBe('a of look 0')
    await settled()
    begun[1]!.end()
    expect(new Set(await Promise.all(more))).toEqual(new Set(['a of look 1', 'b of look 1']))
    expect(begun.map(({ keys }) => keys)).toEqual([['a'], ['b', 'a']])
    expect(shown).toEqual(['a', 'b', 'a'])
  })

  it('are none for those who have gone before it began, nor is anything shown to those who went meanwhile', async () => {
    const { begun, shown, looks } = looking()
    const first = looks.view('a', always)
    let here = true
    const left = ['a', 'b', 'c'].map((key) => looks.view(key, () => false))
    const stays = looks.view('a', always)
    const leaves = looks.view('d', () => here)
    begun[0]!.end()
    await first
    await settled()
    expect(begun[1]!.keys).toEqual(['a', 'd'])
    here = false
    begun[1]!.end()
    expect(await Promise.all([...left, stays, leaves])).toEqual([
      'a of look 1',
      undefined,
      undefined,
      'a of look 1',
      undefined,
    ])
    expect(shown).toEqual(['a', 'a'])
  })

  it('are not begun at all when all have gone, and begin again for the next one', async () => {
    const { begun, looks } = looking()
    const first = looks.view('a', always)
    const gone = looks.view('a', () => false)
    begun[0]!.end()
    await first
    expect(await gone).toBe(undefined)
    await settled()
    expect(begun.length).toBe(1)
    const again = looks.view('a', always)
    begun[1]!.end()
    expect(await again).toBe('a of look 1')
  })

  it('fail for those who waited for that one, and for nobody else', async () => {
    const { begun, looks } = looking()
    const first = looks.view('a', always)
    const second = looks.view('a', always)
    begun[0]!.end(new Error('no /proc'))
    await expect(first).rejects.toThrow('no /proc')
    await settled()
    begun[1]!.end()
    expect(await second).toBe('a of look 1')
  })
})
