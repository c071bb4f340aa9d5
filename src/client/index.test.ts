import { expect, it } from 'vitest'
import { openFds } from '../../test/support/leaks.ts'
import { broker, connect } from './index.ts'

it('opens nothing before it is used, and a Broker is no thenable: `await connect()` gives it', async () => {
  const before = openFds().size
  const other = await connect({ socket: '/nowhere' })
  expect(typeof other.acquire).toBe('function')
  expect(typeof broker.list).toBe('function')
  expect(openFds().size).toBe(before)
  await other.close()
})
