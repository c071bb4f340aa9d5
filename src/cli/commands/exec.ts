import { type Command, InvalidArgumentError, Option } from 'commander'
import { BrokerError, type Lease } from '../../client/index.ts'
import type { ProgramLeases } from '../../client/program-leases.ts'
import { DRAIN_SIGNALS, type DrainSignal } from '../../protocol/messages.ts'
import { nameFault } from '../../protocol/names.ts'
import { resetSignals } from '../../sys/index.ts'
import type { Env } from '../env.ts'
import { parseSeconds } from '../parse.ts'
import { CONVENTIONS, type ConventionName, programEnvironment } from '../program-environment.ts'

interface ExecOptions {
  takeover?: true
  generation?: string
  wait: number
  as: ConventionName
  readyAfter?: number
  readyOn?: 'notify' | 'alive'
  drainSignal?: DrainSignal
}

/** Alive that long is ready, unless the program says READY=1 before. */
const READY_AFTER = 5000

export function addExec(program: Command, env: Env): Command {
  return program
    .command('exec')
    .description('become a program that finds the sockets of a name open')
    .argument('<names>', 'the name, or several with commas between', parseNames)
    .argument('<command...>', 'the program and its arguments, after --')
    .option('--takeover', 'a fresh generation, which replaces the current one when it is ready')
    .option('--generation <label>', 'the label of the release that this program belongs to')
    .option('--wait <seconds>', 'how long to wait for room; -1: for ever', parseWait, 0)
    .addOption(
      new Option('--as <convention>', 'how the program is told of its sockets')
        .choices(Object.keys(CONVENTIONS))
        .default('listen-fds'),
    )
    .addOption(new Option('--ready-after <seconds>', 'alive so long is ready (default: 5)').argParser(parseSeconds))
    .addOption(
      new Option('--ready-on <what>', 'notify: ready by READY=1 only; alive: also by having run for 5 s, as by default')
        .choices(['notify', 'alive'])
        .conflicts('readyAfter'),
    )
    .addOption(drainSignalOption())
    .addHelpText('after', HELP)
    .action(async (names: string[], words: string[], options: ExecOptions, command: Command) => {
      const start = await env.start()
      const broker = await env.programLeases(command.optsWithGlobals<{ socket?: string }>().socket)
      try {
        const leases = await acquireAll(broker, names, options, env)
        refuseMisfits(leases, options)
        warnOfHaste(leases, options, env)
        await awaitTurns(leases, broker.trouble)
        const environment = programEnvironment(leases, options.as, env.variables)
        resetSignals(start)
        await broker.detach()
        await env.become({ start, words: words.length, fds: leases.flatMap((lease) => lease.take()), ...environment })
      } finally {
        await broker.close()
      }
    })
}

/** In byte order, so that two that want the same names never wait for one another; returned in the order given. */
async function acquireAll(broker: ProgramLeases, names: string[], options: ExecOptions, env: Env): Promise<Lease[]> {
  const { takeover, generation, drainSignal, readyOn, readyAfter = READY_AFTER } = options
  const until = env.now() + options.wait
  const leases = new Map<string, Lease>()
  for (const name of names.toSorted()) {
    const wait = Math.max(0, until - env.now())
    const ready = readyOn === 'notify' ? {} : { readyAfter }
    leases.set(name, await broker.acquire(name, { takeover, generation, drainSignal, wait, ...ready }))
  }
  return names.map((name) => leases.get(name)!)
}

function refuseMisfits(leases: readonly Lease[], { as, readyOn, readyAfter }: ExecOptions): void {
  const exclusive = leases.find(isExclusive)
  if (readyOn !== undefined && exclusive) {
    const why = `${exclusive.name} is exclusive: its holder is ready before it runs, so leave out --ready-on`
    throw new BrokerError('INVALID', why)
  }
  if (readyAfter !== undefined && leases.every(isExclusive)) {
    const why = `${leases[0]!.name} is exclusive: its holder is ready before it runs, so leave out --ready-after`
    throw new BrokerError('INVALID', why)
  }
  const hasty = leases.find((lease) => !isExclusive(lease) && lease.readyWithin < (readyAfter ?? 0))
  if (hasty) {
    const why = `--ready-after is longer than ready_timeout of ${hasty.name} (${hasty.readyWithin} ms): shorten it, or raise ready_timeout`
    throw new BrokerError('INVALID', why)
  }
  const count = leases.reduce((sum, { sockets }) => sum + sockets.length, 0)
  if (as === 'stdin' && count !== 1) {
    throw new BrokerError('INVALID', `--as stdin passes one socket, and these are ${count}: choose another convention`)
  }
}

/** A program that does not speak sd_notify would be ended there before it counts as ready. */
function warnOfHaste(leases: readonly Lease[], { readyOn, readyAfter }: ExecOptions, env: Env): void {
  if (readyOn === 'notify' || readyAfter !== undefined) return
  for (const lease of leases) {
    const { name, readyWithin } = lease
    if (isExclusive(lease) || readyWithin > READY_AFTER) continue
    env.stderr.write(
      `fd-broker: ${name} has a ready_timeout of ${readyWithin} ms: unless the program says READY=1 by then it gets SIGTERM; ` +
        'shorten the 5 s after which it counts as ready (--ready-after), or raise ready_timeout\n',
    )
  }
}

const isExclusive = ({ grant }: Lease) => grant['mode'] === 'exclusive'

/** A program accepts before it can say READY=1, so on an exclusive name it is started when the former holders are gone. */
async function awaitTurns(leases: readonly Lease[], signal: AbortSignal): Promise<void> {
  const exclusive = leases.filter(isExclusive).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const lease of exclusive) await lease.ready({ signal })
}

function parseNames(text: string): string[] {
  const names = text.split(',')
  for (const name of names) {
    const fault = nameFault(name)
    if (fault !== undefined) throw new InvalidArgumentError(`the name ${JSON.stringify(name)} ${fault}.`)
  }
  if (new Set(names).size < names.length) throw new InvalidArgumentError('a name is there twice.')
  return names
}

function parseWait(text: string): number {
  if (text === '-1') return Number.POSITIVE_INFINITY
  if (text.startsWith('-')) throw new InvalidArgumentError('give seconds, such as 30 or 0.5, or -1 for ever.')
  return parseSeconds(text)
}

/** Also in small letters and with SIG before it; completion offers the words. */
function drainSignalOption(): Option {
  const option = new Option('--drain-signal <signal>', `${DRAIN_SIGNALS.join(', ')} (default: TERM)`)
  return Object.assign(option.argParser(parseSignal), { words: DRAIN_SIGNALS })
}

function parseSignal(text: string): DrainSignal {
  const name = text.toUpperCase().replace(/^SIG/, '') as DrainSignal
  if (!DRAIN_SIGNALS.includes(name)) throw new InvalidArgumentError(`it is one of ${DRAIN_SIGNALS.join(', ')}.`)
  return name
}

const HELP = `
The program replaces this one (execve): the same process, and signals, exit status and stdio are its own. It finds the
sockets from descriptor 3 on, and LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES; NOTIFY_SOCKET takes its sd_notify messages.
When it cannot have all the sockets, nothing is run. Exit status then: 1 refused, 100 wrong usage, 111 the system
failed; 127 no such program, 126 it cannot be run.

Examples:
  fd-broker exec web -- gunicorn app:app
  fd-broker exec web --takeover --generation v2 --ready-on notify -- ./server --verbose
  fd-broker exec web,admin --wait 30 --as nginx -- nginx -g 'daemon off;'`
