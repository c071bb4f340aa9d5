// Completion, by really completing: a shell in a terminal, the Tab key, and what the command is called with then.

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Daemon, startDaemon } from '../support/daemon.ts'
import { STUB } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { isInstalled } from '../support/readme.ts'
import { openWindow, type Window } from '../support/window.ts'

forbidLeaks()

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

const START: Record<Shell, string[]> = {
  bash: ['bash', '--norc', '--noprofile', '-i'],
  zsh: ['zsh', '-f', '-i'],
  fish: ['fish', '--no-config', '-i'],
}

const LOAD: Record<Shell, (script: string) => string> = {
  bash: (script) => `source ${script}`,
  zsh: (script) => `autoload -U compinit; compinit -u -D; source ${script}`,
  fish: (script) => `source ${script}`,
}

const SOCKETS = ['web', 'worker@1', 'api/v2']
  .map((name) => `[sockets."${name}"]\nlisten = "unix://{dir}/${name.replace('/', '-')}.sock"\nallow = ["any"]\n`)
  .join('')

/** Of another broker, which --socket picks. */
const OTHER = '[sockets.other]\nlisten = "unix://{dir}/other.sock"\nallow = ["any"]\n'

const fdBroker = (...args: string[]) =>
  execFileSync(STUB, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

/** A shell that knows the completions; its fd-broker says what it was called with. */
async function openShell(shell: Shell, daemon: Daemon): Promise<Window> {
  const bin = join(daemon.directory, 'bin')
  mkdirSync(bin, { recursive: true })
  const program = join(bin, 'fd-broker')
  const real = `case " $* " in *' complete-names '*) exec '${STUB}' "$@" ;; esac`
  writeFileSync(program, `#!/bin/sh\n${real}\nprintf 'CALLED'; printf ' <%s>' "$@"; echo ' END'\n`)
  chmodSync(program, 0o755)
  const other = join(bin, 'fd-broker-program')
  writeFileSync(other, '#!/bin/sh\n')
  chmodSync(other, 0o755)
  const script = join(daemon.directory, `completion.${shell}`)
  writeFileSync(script, fdBroker('completion', shell))
  const window = openWindow(START[shell], {
    columns: 160,
    rows: 100,
    env: {
      PATH: `${bin}:${process.env['PATH']}`,
      FD_BROKER_SOCKET: daemon.control,
      HOME: daemon.directory,
      TMPDIR: daemon.directory,
      TERM: 'dumb',
      PS1: '% ',
    },
  })
  window.type(`${LOAD[shell](script)}; echo LOAD''ED\r`)
  await window.shows(/LOADED/)
  return window
}

/** What each shell makes of a line that was typed up to the Tab. */
const LINES: readonly [string, string][] = [
  ['fd-broker pau\t we\t', 'CALLED <pause> <web> END'],
  ['fd-broker list --js\t', 'CALLED <list> <--json> END'],
  ['fd-broker list --state idl\t', 'CALLED <list> <--state> <idle> END'],
  ['fd-broker holders api\t', 'CALLED <holders> <api/v2> END'],
  ['fd-broker exec --as ngi\t we\t', 'CALLED <exec> <--as> <nginx> <web> END'],
  ['fd-broker exec web --drain-signal US\t1 --takeo\t', 'CALLED <exec> <web> <--drain-signal> <USR1> <--takeover> END'],
  ['fd-broker exec web -- fd-broker-pro\t --ver', 'CALLED <exec> <web> <--> <fd-broker-program> <--ver> END'],
  ['fd-broker token n\t --js\t x', 'CALLED <token> <new> <--json> <x> END'],
  ['fd-broker help hol\t', 'CALLED <help> <holders> END'],
  ['fd-broker help tok\t', 'CALLED <help> <token> END'],
  ['fd-broker --socket {other} li\t oth\t', 'CALLED <--socket> <{other}> <list> <other> END'],
]

/** zsh knows --socket as a word of its own before the command only. */
const NOT_IN_ZSH: readonly [string, string][] = [
  ['fd-broker --socket={other} pause oth\t', 'CALLED <--socket={other}> <pause> <other> END'],
  ['fd-broker holders --socket {other} oth\t', 'CALLED <holders> <--socket> <{other}> <other> END'],
]

describe.each(SHELLS)('%s', (shell) => {
  it.runIf(isInstalled(shell))(
    `completes commands, options, their words and the broker's names (needs ${shell})`,
    { timeout: 120_000 },
    async () => {
      const daemon = await startDaemon({ sockets: SOCKETS })
      const other = await startDaemon({ sockets: OTHER })
      const window = await openShell(shell, daemon)
      for (const [line, called] of [...LINES, ...(shell === 'zsh' ? [] : NOT_IN_ZSH)].map((texts) =>
        texts.map((text) => text.replaceAll('{other}', other.control)),
      )) {
        // One key after the other, as a person types: a shell may drop what comes while it completes.
        for (const part of line!.split(/(?<=\t)/)) {
          window.type(part)
          await settled(window)
        }
        window.type('\r')
        await window.shows(new RegExp(called!.replace(/[/]/g, '\\/')))
      }
    },
  )
})

/** Until the window has not changed, and the shell has run nothing, for a while. */
async function settled(window: Window): Promise<void> {
  let before = -1
  for (let still = 0; still < 8; ) {
    const { written, busy } = await window.look()
    still = written === before && !busy ? still + 1 : 0
    before = written
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

describe('bash', () => {
  it('completes the second of several names, and a name with an @, which readline takes for a border of words', async () => {
    const daemon = await startDaemon({ sockets: SOCKETS })
    const window = await openShell('bash', daemon)
    for (const part of ['fd-broker exec web,wor\t', '\r']) {
      window.type(part)
      await settled(window)
    }
    await window.shows(/CALLED <exec> <web,worker@1> END/)
  })
})

describe('complete-names', () => {
  it('says nothing, and exits 0, where there is no broker', () => {
    const output = fdBroker('complete-names', '--socket', '/nonexistent/control.sock')
    expect(output).toBe('')
  })

  it('is a line each', async () => {
    const { control } = await startDaemon({ sockets: SOCKETS })
    const output = fdBroker('--socket', control, 'complete-names')
    expect(output.split('\n')).toEqual(['web', 'worker@1', 'api/v2', ''])
  })

  it('is in no help', () => {
    expect(fdBroker('--help')).not.toContain('complete-names')
  })
})
