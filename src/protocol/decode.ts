// Packets to messages: what comes through the gate, within the limits.

import { BrokerError } from './errors.ts'
import { inspect } from './gate.ts'
import { REPLY_MAX, REQUEST_MAX } from './limits.ts'

export interface DecodedRequest {
  id: number
  body: Record<string, unknown>
  floats: readonly string[]
}

/** A packet that closes the connection; answered first when its `id` could be read. */
export interface Malformed {
  id: number | undefined
  fault: string
}

/** Decodes a request. `truncated`: the packet was longer than a request may be, and `bytes` is its beginning. */
export function decodeRequest(bytes: Uint8Array, truncated: boolean): DecodedRequest | Malformed {
  const { fault, id, floats, values } = inspect(bytes)
  if (truncated || bytes.length > REQUEST_MAX) return { id, fault: `the packet is longer than ${REQUEST_MAX} bytes` }
  if (fault !== undefined) return { id, fault }
  if (id === undefined) return { id, fault: 'it has no `id` that is an unsigned 32-bit integer' }
  return { id, body: values, floats }
}

/** Decodes an answer or event from a broker; throws PROTOCOL. */
export function decodeMessage(bytes: Uint8Array, truncated: boolean): Record<string, unknown> {
  if (truncated || bytes.length > REPLY_MAX) throw malformed(`it is longer than ${REPLY_MAX} bytes`)
  const { fault, values } = inspect(bytes)
  if (fault !== undefined) throw malformed(fault)
  return values
}

function malformed(fault: string): BrokerError {
  return new BrokerError('PROTOCOL', `the broker sent a packet that is malformed: ${fault}`)
}
