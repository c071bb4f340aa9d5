// Whether a broker answers, and which: by the answer to its hello, which needs no right.

import { socketPath } from '../../client/socket-path.ts'
import { decodeMessage } from '../../protocol/decode.ts'
import { encode } from '../../protocol/encode.ts'
import { PROTOCOL_VERSION, REPLY_MAX } from '../../protocol/limits.ts'
import type { BrokerFacts } from './facts.ts'

const PATIENCE_MS = 2000

/** The addon is loaded here, not before: it may be what is missing. */
export async function findBroker(socket: string | undefined): Promise<BrokerFacts> {
  const { path } = socketPath(socket)
  try {
    return await greet(path)
  } catch {
    return { is: 'absent', path }
  }
}

async function greet(path: string): Promise<BrokerFacts> {
  const { Channel } = await import('../../sys/index.ts')
  return new Promise((resolve) => {
    const end = (facts: BrokerFacts) => {
      clearTimeout(timer)
      channel.close()
      resolve(facts)
    }
    const refuse = (why: string) => end({ is: 'refusing', path, why })
    const handlers = {
      message: (bytes: Uint8Array) => {
        const { ok, broker, pid, message } = decodeMessage(bytes, false)
        if (ok === true) end({ is: 'answering', path, version: String(broker), pid: Number(pid) })
        else refuse(String(message))
      },
      close: () => refuse('the connection was closed before the hello was answered'),
    }
    const channel = Channel.connect(path, handlers, { receiveLimit: REPLY_MAX, acceptFds: false })
    const timer = setTimeout(() => refuse(`no answer to hello within ${PATIENCE_MS} ms`), PATIENCE_MS)
    channel.send(encode({ id: 1, op: 'hello', version: PROTOCOL_VERSION, client: 'fd-broker doctor' }))
  })
}
