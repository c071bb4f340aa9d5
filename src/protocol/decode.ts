// Bytes to messages. Only packets that passed the gate reach msgpackr.

import { Unpackr } from 'msgpackr/pack'
import { BrokerError } from './errors.ts'
import { inspect } from './gate.ts'
import { REPLY_MAX, REQUEST_MAX } from './limits.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, structuredClone: false, int64AsType: 'auto' })

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
  const { fault, id, floats } = inspect(bytes)
  if (truncated || bytes.length > REQUEST_MAX) return { id, fault: `the packet is longer than ${REQUEST_MAX} bytes` }
  if (fault !== undefined) return { id, fault }
  if (id === undefined) return { id, fault: 'it has no `id` that is an unsigned 32-bit integer' }
  return { id, body: unpackr.unpack(bytes) as Record<string, unknown>, floats }
}

/** Decodes an answer or event from a broker; throws PROTOCOL. */
export function decodeMessage(bytes: Uint8Array, truncated: boolean): Record<string, unknown> {
  const tooLong = truncated || bytes.length > REPLY_MAX
  const { fault } = tooLong ? { fault: `it is longer than ${REPLY_MAX} bytes` } : inspect(bytes)
  if (fault !== undefined) throw new BrokerError('PROTOCOL', `the broker sent a packet that is malformed: ${fault}`)
  return unpackr.unpack(bytes) as Record<string, unknown>
}
