// The command line's env seam for tests: what is written is kept, and the broker is whatever the test says.

import type { Env } from '../../src/cli/env.ts'
import { run } from '../../src/cli/run.ts'
import type { Broker } from '../../src/client/index.ts'

export interface Ran {
  status: number
  stdout: string
  stderr: string
  /** The `--socket` that each connection was made with. */
  sockets: (string | undefined)[]
  /** Connections that were not closed. */
  open: number
}

export interface FakeEnv {
  broker?: Partial<Broker>
  variables?: NodeJS.ProcessEnv
  isTTY?: boolean
  uid?: number
  now?: number
}

/** Runs a command line as main.ts does. */
export async function runCli(argv: readonly string[], fake: FakeEnv = {}): Promise<Ran> {
  const ran: Ran = { status: -1, stdout: '', stderr: '', sockets: [], open: 0 }
  const output = (stream: 'stdout' | 'stderr') => ({
    isTTY: fake.isTTY ?? false,
    write: (text: string) => {
      ran[stream] += text
    },
  })
  const env: Env = {
    stdout: output('stdout'),
    stderr: output('stderr'),
    variables: fake.variables ?? {},
    uid: fake.uid ?? 1000,
    now: () => fake.now ?? 0,
    token: undefined,
    connect: async (socket) => {
      ran.sockets.push(socket)
      ran.open++
      return { ...fake.broker, close: async () => void ran.open-- } as unknown as Broker
    },
    terminal: async () => undefined,
    programLeases: () => {
      throw new Error('this command line acquires nothing')
    },
    start: async () => ({ argv: [], fds: [] }) as unknown as Awaited<ReturnType<Env['start']>>,
    become: () => {
      throw new Error('this command line becomes nothing')
    },
    keeper: async () => undefined,
    becomeKeeper: () => {
      throw new Error('there is no keeper here')
    },
    signals: { onStop: () => () => {}, onHangup: () => () => {}, onDebug: () => () => {} },
  }
  ran.status = await run(argv, env)
  return ran
}
