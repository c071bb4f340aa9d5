import type { Command } from 'commander'
import { printableJson } from '../../protocol/printable.ts'
import type { Env } from '../env.ts'
import { formatEvent } from '../event-line.ts'
import { ask, type ReaderOptions, readerCommand } from '../reader.ts'
import { warnOfUnknownName } from '../select.ts'

interface EventsOptions extends ReaderOptions {
  name?: string
}

export function addEvents(program: Command, env: Env): Command {
  const command = readerCommand('events', 'show what happens, as it happens, until Ctrl-C')
    .option('--follow', 'go on until Ctrl-C (what it always does)')
    .option('--name <name>', 'only the events of this name')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json, name }: EventsOptions): Promise<void> {
    const stop = new AbortController()
    const off = env.signals.onStop(() => stop.abort())
    try {
      await ask(command, env, async (broker) => {
        if (name !== undefined) await warnOfUnknownName(broker, env, name)
        for await (const event of broker.events({ signal: stop.signal })) {
          if (name !== undefined && event.name !== name) continue
          env.stdout.write(json ? `${printableJson(event, 0)}\n` : formatEvent(event, timeOfDay))
        }
      })
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      off()
    }
  }
}

const timeOfDay = (at: number) => new Date(at).toISOString().slice(11, 23)

const HELP = `
Times are UTC. With --json, one object a line, as docs/protocol.md gives them.

Examples:
  fd-broker events
  fd-broker events --name web --json | jq --unbuffered -c '{event, pid}'`
