// A broker whose configuration changes: what it lists, what the command says, and who can connect.

import { spawn } from 'node:child_process'
import net from 'node:net'
import { Asker } from './asker.ts'
import { atEnd } from './cleanup.ts'
import { CLI, type Daemon, writeConfig } from './daemon.ts'

export interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

export async function cli(daemon: Daemon, ...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [CLI, '--socket', daemon.control, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const outcome: Outcome = { status: null, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (chunk) => (outcome.stdout += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk) => (outcome.stderr += chunk))
  outcome.status = await new Promise((resolve) => child.once('close', resolve))
  return outcome
}

export interface Listed {
  name: string
  mode: string
  waiting: number
  sockets: { address: string; cookie: string; limit: number }[]
}

export async function list(daemon: Daemon): Promise<Listed[]> {
  const asker = await Asker.connect(daemon.control)
  const { sockets } = await asker.ask('list')
  asker.close()
  return sockets as Listed[]
}

const listedAs = async (daemon: Daemon, name: string) => (await list(daemon)).find((listed) => listed.name === name)

export const cookies = async (daemon: Daemon, name: string) =>
  (await listedAs(daemon, name))?.sockets.map(({ cookie }) => cookie)

export const portOf = async (daemon: Daemon, name: string) =>
  Number((await listedAs(daemon, name))!.sockets[0]!.address.split(':').at(-1))

/** The tables below [broker], and more keys of it. */
export const rewrite = (daemon: Daemon, sockets: string, broker = '') =>
  writeConfig(daemon.directory, { sockets, broker })

/** Whether nobody listens there. */
export function refuses(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port })
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
    atEnd(() => socket.destroy())
  })
}
