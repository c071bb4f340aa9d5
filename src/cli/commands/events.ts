import type { Command } from 'commander'
import type { BrokerEvent } from '../../client/index.ts'
import type { Env } from '../env.ts'
import { printable } from '../printable.ts'
import { ask, type ReaderOptions, readerCommand } from '../reader.ts'

interface EventsOptions extends ReaderOptions {
  name?: string
}

export function addEvents(program: Command, env: Env): Command {
  const command = readerCommand('events', 'show what happens, as it happens, until Ctrl-C')
    .option('--follow', 'go on until Ctrl-C (what it always does in this version)')
    .option('--name <name>', 'only the events of this name')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json, name }: EventsOptions): Promise<void> {
    const stop = new AbortController()
    const off = env.signals.onStop(() => stop.abort())
    try {
      await ask(command, env, async (broker) => {
        for await (const event of broker.events({ signal: stop.signal })) {
          if (name !== undefined && event.name !== name) continue
          env.stdout.write(json ? `${JSON.stringify(event)}\n` : formatEvent(event))
        }
      })
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      off()
    }
  }
}

/** `22:30:01.250 granted    name=web lease=3 pid=4711` */
function formatEvent({ event, at, ...details }: BrokerEvent): string {
  const time = new Date(at).toISOString().slice(11, 23)
  const pairs = Object.entries(details).map(([key, value]) => ` ${key}=${bare(value)}`)
  return `${time} ${event.padEnd(10)}${printable(pairs.join(''))}\n`
}

function bare(value: unknown): string {
  return typeof value === 'string' && /^[\w.:@/-]+$/.test(value) ? value : JSON.stringify(value)
}

const HELP = `
Times are UTC. With --json, one object a line, as docs/protocol.md gives them.

Examples:
  fd-broker events
  fd-broker events --name web --json | jq -c '{event, pid}'`
