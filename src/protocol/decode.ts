// Packets to messages, within the limits. Only what passed the gate reaches msgpackr.

import { Unpackr } from 'msgpackr/pack'
import { BrokerError } from './errors.ts'
import { inspect } from './gate.ts'
import { REPLY_MAX, REQUEST_MAX } from './limits.ts'

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, structuredClone: false, int64AsType: 'auto' })

/** msgpackr makes a DataView for every buffer that it has not seen: it always sees this one, to which a packet is copied. */
const scratch = Buffer.allocUnsafeSlow(REPLY_MAX)

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
  return { id, body: unpack(bytes), floats }
}

/** Decodes an answer or event from a broker; throws PROTOCOL. */
export function decodeMessage(bytes: Uint8Array, truncated: boolean): Record<string, unknown> {
  if (truncated || bytes.length > REPLY_MAX) throw malformed(`it is longer than ${REPLY_MAX} bytes`)
  const { fault } = inspect(bytes)
  if (fault !== undefined) throw malformed(fault)
  return unpack(bytes)
}

/** Decodes a map of any length; throws. */
export function decodeMap(bytes: Uint8Array): Record<string, unknown> {
  const { fault } = inspect(bytes)
  if (fault !== undefined) throw new Error(fault)
  return unpack(bytes)
}

function unpack(bytes: Uint8Array): Record<string, unknown> {
  if (bytes.length > scratch.length) return unpackr.unpack(bytes) as Record<string, unknown>
  scratch.set(bytes)
  return unpackr.unpack(scratch, bytes.length) as Record<string, unknown>
}

function malformed(fault: string): BrokerError {
  return new BrokerError('PROTOCOL', `the broker sent a packet that is malformed: ${fault}`)
}
