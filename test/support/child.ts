// Node processes of their own that use the SDK as it is published: compiled, from dist/.

import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

const sdk = new URL('../../dist/client/index.js', import.meta.url).href

export interface ChildResult {
  code: number | null
  stdout: string
  stderr: string
}

export interface ChildOptions {
  directory: string
  /** The control socket of its default broker. */
  socket: string
  /** RLIMIT_NOFILE, soft and hard. */
  descriptors?: number
  /** Ended after so many milliseconds; `code` is null then. */
  timeout?: number
}

/** Runs `script`, a module that has `broker`, `connect` and `BrokerError`, to its end. */
export async function runChild(script: string, options: ChildOptions): Promise<ChildResult> {
  const file = join(options.directory, 'child.mjs')
  writeFileSync(file, `import { broker, connect, BrokerError } from ${JSON.stringify(sdk)}\n${script}`)
  const { descriptors, timeout = 15_000 } = options
  const limit = descriptors ? ['prlimit', `--nofile=${descriptors}:${descriptors}`] : []
  const [command, ...args] = [...limit, process.execPath, file]
  const env = { ...process.env, FD_BROKER_SOCKET: options.socket, NODE_OPTIONS: '' }
  const child = spawn(command!, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  return { code, stdout, stderr }
}
