import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { isGone, nameOf, parentOf } from '../../sys/index.ts'
import type { Env } from '../env.ts'
import { ask, printJson, type ReaderOptions, readerCommand } from '../reader.ts'

const POLL_MS = 20
/** As the kernel cuts it. */
const KEEPER = 'fd-broker-keepe'

interface ShutdownOptions extends ReaderOptions {
  wait: boolean
}

export function addShutdown(program: Command, env: Env): Command {
  const command = readerCommand('shutdown', 'have the broker drain every holder, and end').option(
    '--no-wait',
    'do not wait until it has ended',
  )
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json, wait }: ShutdownOptions): Promise<void> {
    const processes = await ask(command, env, async (broker) => {
      const { pid } = await broker.stats()
      const found = withKeeper(pid as number)
      await broker.shutdown()
      return found
    })
    if (wait) while (!processes.every(isGone)) await sleep(POLL_MS)
    if (json) return printJson(env, { pid: processes[0], ended: wait })
    env.stdout.write(wait ? 'the broker has ended\n' : 'the broker drains its holders, and ends\n')
  }
}

function withKeeper(pid: number): number[] {
  const parent = parentOf(pid)
  return parent !== undefined && nameOf(parent) === KEEPER ? [pid, parent] : [pid]
}

const HELP = `
Holders are asked to drain; the broker ends when the last has gone, at drain_timeout (the longest of all names) at the latest, and
its sockets close. It is what SIGINT does. Workers that drain too slowly keep their sockets open and serve on.

Examples:
  fd-broker shutdown
  fd-broker shutdown --no-wait`
