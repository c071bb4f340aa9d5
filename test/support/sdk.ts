// What the SDK's tests share: sockets and fake brokers that are gone after each test, and no descriptor left behind.

import { afterEach } from 'vitest'
import { type Broker, type ConnectOptions, connect } from '../../src/client/index.ts'
import { type BrokerSocket, bindSocket, FakeBroker, type Handler } from './fake-broker.ts'
import { forbidLeaks } from './leaks.ts'
import { useScratch } from './scratch.ts'

/** Call it once in a file. */
export function useSdk() {
  forbidLeaks()
  const scratch = useScratch()
  const closers: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })
  return {
    scratch,
    /** Runs after the test, last one first. */
    atEnd: (close: () => unknown) => closers.push(close),
    socket(...args: Parameters<typeof bindSocket>): BrokerSocket {
      const bound = bindSocket(...args)
      closers.push(() => bound.fd.close())
      return bound
    },
    serve(handler: Handler, options: ConnectOptions = {}): { fake: FakeBroker; broker: Broker } {
      const fake = new FakeBroker(scratch.at('control.sock'), handler)
      const broker = connect({ socket: fake.path, timeout: 5000, ...options })
      closers.push(
        () => fake.close(),
        () => broker.close(),
      )
      return { fake, broker }
    },
  }
}

/** What a promise rejects with. */
export function ended(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'it did not reject',
    (error: unknown) => error,
  )
}
