import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Broker } from '../../client/index.ts'
import { counted } from '../../protocol/counted.ts'
import type { LeaseView } from '../../protocol/messages.ts'
import type { Env } from '../env.ts'
import { parseSeconds } from '../parse.ts'
import { ask, printJson, type ReaderOptions, readerCommand } from '../reader.ts'

const POLL_MS = 100

interface DrainOptions extends ReaderOptions {
  wait?: boolean
  timeout?: number
}

type Target = { name: string } | { lease: number }

export function addDrain(program: Command, env: Env): Command {
  const command = readerCommand('drain', 'ask holders to stop accepting, finish and leave')
    .argument('<name|lease>', 'a name (all its holders) or the number of a lease')
    .option('--wait', 'wait until the last of them has gone, and show who is left')
    .option('--timeout <seconds>', 'their deadline, instead of the name’s drain_timeout', parseSeconds)
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action(argument: string, { json, wait, timeout }: DrainOptions): Promise<void> {
    const target: Target = /^[0-9]+$/.test(argument) ? { lease: Number(argument) } : { name: argument }
    const left = await ask(command, env, async (broker) => {
      const concerned = await holdersOf(broker, target)
      await broker.drain(target, timeout === undefined ? {} : { timeout })
      const leases = new Set(concerned.map(({ lease }) => lease))
      if (wait) await untilGone(broker, target, leases, (left) => json || showProgress(env, left))
      return { drained: [...leases], left: wait ? [] : [...leases] }
    })
    if (json) return printJson(env, { ...target, ...left })
    const count = left.drained.length
    const holders = counted(count, 'holder')
    env.stdout.write(wait ? `${argument}: ${holders} drained and gone\n` : `${argument}: ${holders} asked to drain\n`)
  }
}

async function holdersOf(broker: Broker, target: Target): Promise<LeaseView[]> {
  const views = await broker.holders('name' in target ? target.name : undefined, { undeclared: false })
  const leases = views.filter((view) => view.lease !== null)
  return 'name' in target ? leases : leases.filter(({ lease }) => lease === target.lease)
}

async function untilGone(
  broker: Broker,
  target: Target,
  leases: ReadonlySet<number>,
  show: (left: LeaseView[]) => void,
): Promise<void> {
  for (let before = -1; ; await sleep(POLL_MS)) {
    const left = (await holdersOf(broker, target)).filter(({ lease }) => leases.has(lease))
    if (left.length === 0) return
    if (left.length !== before) show(left)
    before = left.length
  }
}

function showProgress(env: Env, left: readonly LeaseView[]): void {
  const who = left.slice(0, 5).map(({ lease, pid, user }) => `lease ${lease} (pid ${pid}, ${user})`)
  const more = left.length > who.length ? ` and ${left.length - who.length} more` : ''
  env.stderr.write(`waiting for ${who.join(', ')}${more}\n`)
}

const HELP = `
Holders are asked, not forced: what happens at the deadline is on_drain_timeout of the name. New leases are granted
meanwhile; \`fd-broker pause\` stops that. Draining twice succeeds; the earlier deadline holds.

Examples:
  fd-broker drain web --wait
  fd-broker drain 17 --timeout 5`
