import { expect, it } from 'vitest'
import { scanProcesses } from '../../src/sys/index.ts'

it('a look at known processes does not wait for the walks through all of them', async () => {
  const order: string[] = []
  const walks = Array.from({ length: 50 }, async () => {
    await scanProcesses([1])
    order.push('walk')
  })
  const [found] = [...(await scanProcesses([], [process.pid]))]
  expect(found).toMatchObject({ pid: process.pid, parent: process.ppid, uid: process.getuid!() })
  order.push('few')
  await Promise.all(walks)
  expect(order.indexOf('few')).toBeLessThan(50)
})
