// A broker under a keeper: who is the broker now, and is it back.

import { Asker } from './asker.ts'
import { type Daemon, type DaemonOptions, startDaemon, until } from './daemon.ts'
import { RawClient } from './raw-client.ts'

export function startKept(options: DaemonOptions): Promise<Daemon> {
  return startDaemon({ ...options, keeper: true })
}

/** The pid that hello tells: waits for as long as the control socket queues it. */
export async function brokerPid(daemon: Daemon): Promise<number> {
  const client = new RawClient(daemon.control)
  const { message } = await client.hello()
  client.close()
  return message['pid'] as number
}

/** Kills the broker, of which hello tells the pid, and waits until another answers; its pid. */
export async function killBroker(daemon: Daemon, signal: NodeJS.Signals = 'SIGKILL', pid?: number): Promise<number> {
  const before = pid ?? (await brokerPid(daemon))
  process.kill(before, signal)
  let now = before
  await until(async () => {
    now = await brokerPid(daemon).catch(() => before)
    return now !== before
  }, 'another broker answers')
  return now
}

export interface ListedSocket {
  address: string
  cookie: string
}

export async function socketsOf(daemon: Daemon, name: string): Promise<ListedSocket[]> {
  const asker = await Asker.connect(daemon.control)
  const { sockets } = (await asker.ask('list')) as { sockets: { name: string; sockets: ListedSocket[] }[] }
  asker.close()
  return sockets.find((view) => view.name === name)!.sockets.map(({ address, cookie }) => ({ address, cookie }))
}
