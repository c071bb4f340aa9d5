import { type Command, Option } from 'commander'
import { systemConfigEnv } from '../../daemon/config/config-env.ts'
import { defaultConfigPath } from '../../daemon/config/default-path.ts'
import { formatFault, formatFaults } from '../../daemon/config/fault.ts'
import { readConfig } from '../../daemon/config/read-config.ts'
import { Keeping } from '../../daemon/keeping.ts'
import { chooseFormat, openLog } from '../../daemon/log.ts'
import { keepHeapSmall } from '../../daemon/memory.ts'
import { serve } from '../../daemon/serve.ts'
import { StateReading } from '../../daemon/state/read-state.ts'
import { rememberedConfig } from '../../daemon/state/remembered-config.ts'
import { STATE_KEY } from '../../daemon/state/state-log.ts'
import { warmUp, warmUpBeside } from '../../daemon/warm-up.ts'
import { askForShortTurns, type Keeper } from '../../sys/index.ts'
import type { Env } from '../env.ts'
import { EXIT_SYSTEM, EXIT_USAGE, Exit } from '../exit.ts'

const STDERR = 2
/** A grant takes less, the first after a while too. */
const TURN_MICROSECONDS = 500
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal']

interface ServeOptions {
  config?: string
  logLevel: string
  /** `--no-keeper` makes it false. */
  keeper: boolean
}

export function addServe(program: Command, env: Env): Command {
  return program
    .command('serve')
    .description('run the broker')
    .option(
      '--config <file>',
      'the config (default: /etc/fd-broker/broker.toml, as a user ~/.config/fd-broker/broker.toml)',
    )
    .option('--no-keeper', 'run as one process: what it holds ends with it (for embedding and debugging)')
    .addOption(new Option('--log-level <level>', 'what to log').choices(LEVELS).default('info'))
    .addHelpText('after', HELP)
    .action(async (options: ServeOptions) => {
      const status = await start(options, env)
      if (status !== 0) throw new Exit(status)
    })
}

async function start(options: ServeOptions, env: Env): Promise<number> {
  const keeper = await env.keeper()
  if (keeper === undefined && options.keeper) return env.becomeKeeper()
  const status = await serveConfig(options, env, keeper)
  if (keeper === undefined && status === EXIT_USAGE) return status
  // Whatever the event loop still has to do with what is left for another broker: who started this one waits for its end.
  process.exit(status)
}

async function serveConfig({ config: file, logLevel }: ServeOptions, env: Env, keeper?: Keeper): Promise<number> {
  const path = file ?? defaultConfigPath(env.uid, env.variables)
  const system = systemConfigEnv(env.variables)
  // Accounts are looked up anew each time; the uid stays that of the start, whatever user the broker becomes.
  const read = () => readConfig(path, { ...systemConfigEnv(env.variables), uid: system.uid })
  const reading = new StateReading()
  if (keeper !== undefined && keeper.hello.role !== 'first') readAhead(keeper, reading)
  const result = (keeper?.hello.role === 'again' && rememberedConfig(reading.folded, system)) || read()
  if ('faults' in result) {
    const faults = formatFaults(result.faults)
    env.stderr.write(`${faults}\n`)
    if (keeper?.isCandidate) keeper.refuse(faults)
    return EXIT_USAGE
  }
  keepHeapSmall()
  askForShortTurns(TURN_MICROSECONDS)
  // Clients of a broker that died wait for this one.
  if (keeper?.hello.role !== 'again') warmUp()
  const output = openLog(chooseFormat(STDERR, env.variables, env.stderr.isTTY === true), logLevel)
  try {
    for (const warning of result.warnings) output.log.warn(formatFault(warning))
    const keeping = keeper && new Keeping(keeper, env.signals, output.log)
    const serving = serve(result.config, read, output.log, env.signals, keeping, reading)
    if (keeper?.hello.role === 'again') warmUpBeside()
    return await serving
  } catch (error) {
    output.log.debug({ err: error }, 'where it failed')
    output.log.fatal(`cannot start: ${(error as Error).message}`)
    if (keeper?.isCandidate) keeper.refuse((error as Error).message)
    return EXIT_SYSTEM
  } finally {
    output.flush()
  }
}

/** Once for the configuration and for the rest; the new broker of an upgrade reads only what is added until it may take over. */
function readAhead(keeper: Keeper, reading: StateReading): void {
  try {
    for (const file of keeper.ahead(STATE_KEY).slice(0, 1)) reading.read(file)
  } catch {
    // A state that cannot be read is told of when the broker is made.
  }
}

const HELP = `
SIGHUP reloads the config, as \`fd-broker reload\` does.
SIGTERM or SIGINT asks the holders to drain and waits for them, at most drain_timeout; a second one ends at once.

Examples:
  fd-broker serve
  fd-broker serve --config ./broker.toml --log-level debug`
