// Acquiring: ask, receive the descriptors, check them, and only then is it a Lease. Whatever fails on the way, the broker
// gets the lease back and every descriptor is closed.

import { BrokerError } from '../protocol/errors.ts'
import { MILLISECONDS_MAX } from '../protocol/limits.ts'
import type { Requests } from '../protocol/messages.ts'
import type { OwnedFd } from '../sys/index.ts'
import { type Answer, closeAll } from './answers.ts'
import type { Connection } from './connection.ts'
import { requireKnownKeys } from './known-keys.ts'
import { Lease } from './lease.ts'
import { LeaseLine } from './lease-line.ts'
import { located } from './located.ts'
import type { AcquireOptions, ProgramOptions } from './options.ts'
import { fetchSockets, receiveSockets } from './received-sockets.ts'
import type { Session } from './session.ts'
import { untilAdmitted } from './until-admitted.ts'

/** What of a session a lease is acquired on. */
export type Acquirer = Pick<
  Session,
  'timeout' | 'spare' | 'leases' | 'lines' | 'ended' | 'away' | 'connection' | 'mayRetry' | 'willReclaim' | 'assertOpen'
>

export async function acquire(
  session: Acquirer,
  name: string,
  options: AcquireOptions | ProgramOptions,
  known: Readonly<Record<string, true>>,
): Promise<Lease> {
  requireKnownKeys('acquire', options, known)
  const { signal, wait = 0 } = options
  const until = performance.now() + checkedWait(wait)
  let deadline = performance.now() + session.timeout
  let connection: Connection | undefined
  for (let again = false; ; again = true) {
    try {
      connection = await session.connection({ deadline, signal })
      const ask = () =>
        acquireOn(connection!, session, name, { ...options, wait: Math.max(0, until - performance.now()) })
      if (!again) return await ask()
      return await untilAdmitted(connection, ask, { signal, timeout: deadline - performance.now() })
    } catch (error) {
      // A lease that hello does not list is ended when its process asks for the name again, so asking again cannot take two.
      if (connection === undefined || !session.mayRetry(connection, error)) throw located(error, acquire)
      if (connection.welcomed && performance.now() < until) deadline = performance.now() + session.timeout
      else if (performance.now() >= deadline) throw located(error, acquire)
      connection = undefined
    }
  }
}

async function acquireOn(
  connection: Connection,
  session: Acquirer,
  name: string,
  options: (AcquireOptions | ProgramOptions) & { wait: number },
): Promise<Lease> {
  const { signal } = options
  const lineOf = ({ message }: Answer) =>
    new LeaseLine(session, connection, { lease: message.lease as number, name: String(message.name ?? name) })
  let line: LeaseLine | undefined
  const grant = await connection.request('acquire', request(name, options), {
    signal,
    timeout: options.wait + session.timeout,
    answered: (answer) => {
      line = lineOf(answer)
    },
    unwanted: (answer) => {
      closeAll(answer.fds)
      lineOf(answer).abandon()
    },
  })
  try {
    if (!Number.isSafeInteger(line!.lease))
      throw new BrokerError('PROTOCOL', 'the broker granted a lease without an id')
    const received = await receiveSockets(grant, line!, session.spare, { signal })
    return admit(() => {
      signal?.throwIfAborted()
      session.assertOpen()
      const fetch = () => fetchSockets(line!, session.spare, {})
      return new Lease(grant.message, received, line!, session.leases, fetch)
    }, received.fds)
  } catch (error) {
    closeAll(grant.fds)
    line!.abandon()
    throw error
  }
}

/** The last moment to give up: afterwards the descriptors are the lease's. */
function admit(make: () => Lease, fds: readonly OwnedFd[]): Lease {
  try {
    return make()
  } catch (error) {
    closeAll(fds)
    throw error
  }
}

function request(name: string, options: (AcquireOptions | ProgramOptions) & { wait: number }): Requests['acquire'] {
  const { wait, generation, takeover, ready, label } = options
  return {
    name,
    wait: wait === Number.POSITIVE_INFINITY ? -1 : Math.ceil(wait),
    ...(generation !== undefined && { generation }),
    ...(takeover !== undefined && { takeover }),
    ...(ready !== undefined && { ready }),
    ...(label !== undefined && { label }),
    ...('bind' in options && program(options)),
  }
}

function program({ bind, drainSignal, readyAfter }: ProgramOptions): Partial<Requests['acquire']> {
  return {
    bind,
    ...(drainSignal !== undefined && { drainSignal }),
    ...(readyAfter !== undefined && { readyAfter }),
  }
}

/** For ever is Infinity here, or -1 as on the wire. */
function checkedWait(wait: number): number {
  if (wait === -1) return Number.POSITIVE_INFINITY
  const inRange = typeof wait === 'number' && wait >= 0 && wait <= MILLISECONDS_MAX
  if (inRange || wait === Number.POSITIVE_INFINITY) return wait
  throw new BrokerError(
    'INVALID',
    `wait must be milliseconds from 0 to ${MILLISECONDS_MAX}, or -1 or Infinity for ever, not ${wait}`,
  )
}
