import type { Command } from 'commander'
import { printable } from '../../protocol/printable.ts'
import type { Facts } from '../doctor/facts.ts'
import type { Finding, Level } from '../doctor/finding.ts'
import { gatherFacts } from '../doctor/gather.ts'
import { KERNEL_CHECKS } from '../doctor/kernel-checks.ts'
import { PROGRAM_CHECKS } from '../doctor/program-checks.ts'
import { RIGHTS_CHECKS } from '../doctor/rights-checks.ts'
import { sightCheck } from '../doctor/sight-check.ts'
import type { Env } from '../env.ts'
import { Exit } from '../exit.ts'
import { printJson, type ReaderOptions, readerCommand } from '../reader.ts'
import { wantsColour } from '../table.ts'

const CHECKS = [...PROGRAM_CHECKS, ...RIGHTS_CHECKS, ...KERNEL_CHECKS, sightCheck]
const EXIT_PROBLEM = 1

interface DoctorOptions extends ReaderOptions {
  config?: string
}

export function addDoctor(program: Command, env: Env): Command {
  const command = readerCommand(
    'doctor',
    'look for what is wrong with this host, this installation and the config',
  ).option('--config <file>', 'the config to judge by (default: the running broker’s, else the one that serve reads)')
  return program.addCommand(command).commands.at(-1)!.addHelpText('after', HELP).action(action)

  async function action({ json, config }: DoctorOptions): Promise<void> {
    const { socket } = command.optsWithGlobals<{ socket?: string }>()
    const findings = examine(await gatherFacts(env, { config, socket }))
    const problems = findings.filter(({ level }) => level === 'problem').length
    if (json) printJson(env, { findings, problems })
    else env.stdout.write(report(findings, wantsColour(env.stdout, env.variables)))
    if (problems > 0) throw new Exit(EXIT_PROBLEM)
  }
}

export function examine(facts: Facts): Finding[] {
  return CHECKS.flatMap((check) => check(facts))
}

const COLOURS: Readonly<Record<Level, string>> = { ok: '32', note: '36', warning: '33', problem: '31' }
const LEVEL_WIDTH = 'problem'.length

function report(findings: readonly Finding[], colour: boolean): string {
  const width = Math.max(...findings.map(({ check }) => check.length))
  const lines = findings.flatMap(({ level, check, finding, remedy }) => {
    const shown = level.padEnd(LEVEL_WIDTH)
    const head = colour ? `\u001b[${COLOURS[level]}m${shown}\u001b[0m` : shown
    const first = `${head}  ${check.padEnd(width)}  ${printable(finding)}`
    return remedy === undefined ? [first] : [first, `${' '.repeat(LEVEL_WIDTH + width + 4)}-> ${printable(remedy)}`]
  })
  return `${lines.join('\n')}\n`
}

const HELP = `
Each finding is ok, a note (it may well be meant so), a warning (it works, but less well than asked for) or a problem, and says
what to do. Run it as the user that runs the broker; what a running broker may do is read from it. Nothing is changed.
Exit status: 0 no problem, 1 a problem.

Examples:
  fd-broker doctor
  fd-broker doctor --config ./broker.toml
  fd-broker doctor --json | jq -r '.findings[] | select(.level != "ok") | .finding'`
