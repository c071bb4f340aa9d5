// Waiting for Node to say that it listens.

import type { EventEmitter } from 'node:events'
import { BrokerError } from '../protocol/errors.ts'

/**
 * Runs `open`, and settles by what comes first: `listening`, `error`, `close`, or what `open` throws. Node emits no `listening`
 * on a server that is closed in the same turn.
 */
export function awaitListening(server: EventEmitter, open: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown) => {
      server.off('listening', onListening)
      server.off('error', settle)
      server.off('close', onClose)
      if (error) reject(error)
      else resolve()
    }
    const onListening = () => settle()
    const onClose = () => settle(new BrokerError('INVALID', 'the server was closed before it listened'))
    server.once('listening', onListening)
    server.once('error', settle)
    server.once('close', onClose)
    try {
      open()
    } catch (error) {
      settle(error)
    }
  })
}
