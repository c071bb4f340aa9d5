// Every command line that the documents and --help show is run, and what it prints is compared; or it is in the table of those that
// cannot be, with the reason. (The ```console blocks are run by howto-programs.test.ts and readmes.test.ts.)

import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'
import { Asker } from '../support/asker.ts'
import { documentExamples, type Example, helpExamples, runLine } from '../support/command-examples.ts'
import { type Daemon, IS_ROOT, startDaemon, temporaryDirectory, writeConfig } from '../support/daemon.ts'
import { STUB } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { isInstalled } from '../support/readme.ts'

forbidLeaks()

const HOST = 'its default is the host’s own /etc/fd-broker/broker.toml; run with a named config elsewhere in this table'
const NOT_RUN: Readonly<Record<string, string>> = {
  'fd-broker serve': HOST,
  'fd-broker check': HOST,
  'fd-broker top': 'fills a terminal: test/cli/top.test.ts runs it in one',
  'npm install fd-broker': 'installs from a registry',
  'npm install -g fd-broker': 'installs from a registry: test/package does',
  'fd-broker serve --config broker.toml': 'the tour of the README: test/package/tarball.test.ts',
  'npm install --global fd-broker && fd-broker upgrade': 'installs from a registry; test/keeper runs upgrade',
  'source <(fd-broker completion bash)': 'test/cli/completion.test.ts completes in each shell',
  'source <(fd-broker completion zsh)': 'test/cli/completion.test.ts completes in each shell',
  'fd-broker list …        short-lived clients of the same control socket': 'a picture of processes',
  'fd-broker exec NAME[,NAME…] [--takeover] [--generation LABEL] [--wait S] [--as CONVENTION]': 'a synopsis',
}

interface Case {
  output: RegExp
  status?: number
  /** Goes on until Ctrl-C, or is a program that serves. */
  endless?: true
  /** While it runs, or before it for one that ends. */
  act?(stage: Stage): unknown
  /** Without a running broker, in a directory of its own. */
  alone?: true
  /** Instead of the usual one. */
  config?: string
  /** What the broker has, instead of the usual names. */
  sockets?: string
}

interface Stage {
  asker: Asker
  daemon: Daemon
  lease: number
  released?: true
}

const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n'
const SOCKETS = `${WEB}[sockets.admin]\nlisten = "unix://{dir}/admin.sock"\nallow = ["any"]\n[sockets."api/v1"]\nlisten = "unix://{dir}/api.sock"\nallow = ["any"]\n`
const LIST = /^NAME +ADDRESS +MODE +GEN +HOLDERS +QUEUE +DROPS +STATE\n/
const HOLDERS = /^ *LEASE +NAME +PID +USER +COMMAND +GENERATION +STATE +SINCE\b/
const SERVING = /"msg":"serving"|serving/
const acquire = ({ asker }: Stage) => asker.ask('acquire', { name: 'web', ready: true })
const rollBack = async ({ asker }: Stage) => {
  const { lease } = await asker.ask('acquire', {
    name: 'web',
    generation: `bad-${Math.random().toString(36).slice(2)}`,
  })
  await asker.ask('release', { lease })
}

/** Once, however often it is called. */
const releaseWhenDrained = async (stage: Stage) => {
  const { asker, lease } = stage
  if (stage.released) return
  stage.released = true
  expect(await asker.next(10_000)).toMatchObject({ event: 'drain', lease })
  await asker.ask('release', { lease })
}

const names = (...all: string[]) =>
  all.map((name) => `[sockets.${name}]\nlisten = "unix://{dir}/${name}.sock"\nallow = ["any"]\n`).join('')

/** As docs/cli.md shows it. */
const changeConfig = ({ daemon: { directory } }: Stage) => {
  const sockets = `${names('web')}backlog = 9\ndrain_timeout = "9s"\n${names('admin', 'api')}`
  writeConfig(directory, { sockets, broker: 'viewers = ["user:1"]' })
}

/** The faults that docs/configuration.md shows stand on lines 12 and 15. */
const FAULTY = `[broker]\ncontrol = "/run/fd-broker/control.sock"\n${'\n'.repeat(6)}[sockets.web]\nlisten = "tcp://0.0.0.0:80"\nallow = ["any"]\nbacklg = 9\n\n\nready_timeout = 30\n`
const EXPLAINED = `[broker]\ncontrol = "/run/fd-broker/control.sock"\nuser = "daemon"\n[sockets.web]\nlisten = ["tcp://0.0.0.0:80", "tcp://127.0.0.1:8080"]\nallow = ["group:daemon"]\n[sockets.admin]\nlisten = "unix://@fd-broker-explained"\nallow = ["group:daemon"]\n`

const CASES: Readonly<Record<string, Case>> = {
  'fd-broker check /etc/fd-broker/broker.toml': { output: /backlg: unknown key/, status: 100, config: FAULTY },
  'fd-broker check --explain': { output: /the broker becomes daemon/, config: EXPLAINED },
  'fd-broker check --explain ./broker.toml': { output: /would keep of root|becomes/ },
  'fd-broker check ./broker.toml && fd-broker serve --config ./broker.toml': {
    output: SERVING,
    endless: true,
    alone: true,
  },
  'fd-broker serve --config ./broker.toml': { output: SERVING, endless: true, alone: true },
  'fd-broker serve --config ./broker.toml --log-level debug': { output: SERVING, endless: true, alone: true },
  'fd-broker list': { output: /^NAME .*STATE\nweb +tcp:\/\/127\.0\.0\.1:\d+ +shared +g\d+ +1\/1 +0\/\d+ +0 +ok\n/ },
  "fd-broker list 'api/*' --state saturated": { output: LIST },
  'fd-broker list --sort queue': { output: LIST },
  "fd-broker list --json | jq '.sockets[] | {name, state}'": { output: /"name": "web",\s+"state": "ok"/ },
  'fd-broker holders': { output: HOLDERS },
  'fd-broker holders web': { output: /\n +\d+ +web +\d+ +\S+ +\S.* +g\d+ +ready +\d+s/ },
  'fd-broker holders web --json': { output: /"lease": \d+,[\s\S]*"name": "web"/ },
  'fd-broker holders --wide': { output: /SINCE +DEADLINE +UNIT +STATUS\n/ },
  'fd-broker holders --state undeclared': { output: HOLDERS },
  "fd-broker holders 'api/*' --user www-data --sort since": { output: HOLDERS },
  'fd-broker stats': { output: /^COUNTER +VALUE\n[\s\S]*\ngrants +\d+\n/ },
  'fd-broker stats --json': { output: /"grants": \d+/ },
  'fd-broker events': { output: /^[\d:.]+ granted +name=web lease=\d+/m, endless: true, act: acquire },
  'fd-broker events --name web': { output: /^[\d:.]+ granted +name=web lease=\d+/m, endless: true, act: acquire },
  "fd-broker events --name web --json | jq --unbuffered -c '{event, pid}'": {
    output: /^\{"event":"granted","pid":\d+\}/m,
    endless: true,
    act: acquire,
  },
  'fd-broker history --since 10m': { output: /Z granted +name=web lease=\d+/ },
  'fd-broker history --name web --json | jq -c \'select(.event == "rollback")\'': {
    output: /"event":"rollback"/,
    act: rollBack,
  },
  'fd-broker doctor': { output: /^ok +addon +loaded\n[\s\S]*broker\.toml: 3 names, 3 sockets\n[\s\S]*kernel +Linux/ },
  'fd-broker doctor --config ./broker.toml': { output: /ok +config +\.\/broker\.toml: 3 names, 3 sockets/ },
  'fd-broker doctor --json | jq -r \'.findings[] | select(.level != "ok") | .finding\'': { output: /\w/ },
  'fd-broker top --interval 5 --count 3': { output: /^\d{4}-\S+Z\nNAME /, endless: true },
  "fd-broker top --json --count 1 | jq -c '.sockets[] | {name, state}'": { output: /^\{"name":"web","state":"ok"\}\n/ },
  'fd-broker drain web --wait': {
    output: /web: 1 holder drained and gone\n$/,
    endless: true,
    act: releaseWhenDrained,
  },
  'fd-broker drain 17 --timeout 5': { output: /^\d+: 1 holder asked to drain\n$/ },
  'fd-broker pause web': { output: /^web: paused\n$/ },
  'fd-broker pause web --drain': { output: /^web: paused, holders asked to drain\n$/ },
  'fd-broker pause web --drain && ./migrate && fd-broker resume web': {
    output: /^web: paused, holders asked to drain\nstarted \.\/migrate \nweb: resumed\n$/,
  },
  'fd-broker resume web': { output: /^web: resumed\n$/ },
  'fd-broker reload': { output: /^unchanged +web\nunchanged +admin\nunchanged +api\/v1\n/ },
  'fd-broker reload --dry-run': {
    output: /^changed +broker/,
    sockets: names('web', 'old', 'admin'),
    act: changeConfig,
  },
  'fd-broker shutdown': { output: /^the broker has ended\n$/, endless: true, act: releaseWhenDrained },
  'fd-broker shutdown --no-wait': { output: /^the broker drains its holders, and ends\n$/ },
  'fd-broker token new deploy': { output: /^secret: \S{43}\nconfig: deploy = "sha256:[0-9a-f]{64}"\n$/ },
  'fd-broker completion fish >~/.config/fish/completions/fd-broker.fish': { output: /^$/ },
  ...Object.fromEntries(
    [
      ['fd-broker exec web -- gunicorn app:app', /started \S*gunicorn app:app fds=1 names=web/],
      ['fd-broker exec web --takeover -- gunicorn --preload app:app', /started \S*gunicorn --preload app:app fds=1/],
      ['fd-broker exec web --takeover --generation v2 --ready-on notify -- ./server', /started \.\/server +fds=1/],
      [
        'fd-broker exec web --takeover --generation v2 --ready-on notify -- ./server --verbose',
        /started \.\/server --verbose/,
      ],
      [
        "fd-broker exec web,admin --wait 30 --as nginx -- nginx -g 'daemon off;'",
        /started \S*nginx -g daemon off; .*NGINX=3;4;/,
      ],
    ].map(([line, output]) => [line, { output, endless: true }] as [string, Case]),
  ),
}

const help = (...args: string[]) =>
  execFileSync(STUB, [...args, '--help'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })

function allExamples(): Example[] {
  const visible = Object.keys(COMMANDS).filter((name) => name !== 'complete-names')
  return [
    ...helpExamples('fd-broker', help()),
    ...visible.flatMap((name) => helpExamples(name, help(name))),
    ...documentExamples(),
  ].map((example) => ({ ...example, line: example.line.replace(/ +#.*$/, '').replace(/ &$/, '') }))
}

const EXAMPLES = allExamples()
const LINES = new Set(EXAMPLES.map(({ line }) => line))

describe('the tables', () => {
  it('have every example that there is, once', () => {
    const known = [...Object.keys(CASES), ...Object.keys(NOT_RUN)]
    expect([...LINES].filter((line) => !known.includes(line))).toEqual([])
    expect(new Set(known).size).toBe(known.length)
  })

  it('have none that is nowhere shown', () => {
    expect([...Object.keys(CASES), ...Object.keys(NOT_RUN)].filter((line) => !LINES.has(line))).toEqual([])
  })
})

/** Programs that say what they were given, in place of those that the examples name. */
function makeProgram(file: string, ends: boolean): void {
  const told = ends
    ? 'echo "started $0 $*"'
    : 'echo "started $0 $* fds=$LISTEN_FDS names=$LISTEN_FDNAMES NGINX=$NGINX"; exec sleep 60'
  writeFileSync(file, `#!/bin/sh\n${told}\n`)
  chmodSync(file, 0o755)
}

function furnish(directory: string): NodeJS.ProcessEnv {
  for (const part of ['bin', '.config/fish/completions']) mkdirSync(join(directory, part), { recursive: true })
  symlinkSync(STUB, join(directory, 'bin/fd-broker'))
  for (const program of ['bin/gunicorn', 'bin/nginx', 'server']) makeProgram(join(directory, program), false)
  makeProgram(join(directory, 'migrate'), true)
  return {
    ...process.env,
    PATH: `${directory}/bin:${process.env['PATH']}`,
    HOME: directory,
    FD_BROKER_SOCKET: undefined,
  }
}

async function play(line: string, { alone, endless, act, config, output, sockets = SOCKETS }: Case) {
  const directory = temporaryDirectory()
  const env = furnish(directory)
  const put = (text: string) => text.replace('/etc/fd-broker/broker.toml', './broker.toml')
  if (config !== undefined || alone) {
    const file = writeConfig(directory, { sockets: SOCKETS })
    if (config !== undefined) writeFileSync(file, config, { mode: 0o644 })
    const named = line.endsWith('--explain') ? `${line} ./broker.toml` : put(line)
    return runLine(named, { cwd: directory, env, endless: endless && output })
  }
  const daemon = await startDaemon({ directory, sockets })
  const asker = await Asker.connect(daemon.control)
  const lease = Number((await asker.ask('acquire', { name: 'web', ready: true }))['lease'])
  const stage = { asker, daemon, lease }
  if (!endless) await act?.(stage)
  const ran = await runLine(put(line).replace('drain 17', `drain ${lease}`), {
    cwd: directory,
    env: { ...env, FD_BROKER_SOCKET: daemon.control },
    endless: endless && output,
    meanwhile: act && (() => act(stage)),
  })
  asker.client.close()
  return ran
}

/** What a document shows, where figures, secrets and names of this host differ. */
function pattern(output: readonly string[]): RegExp {
  const literal = output
    .join('\n')
    .trimEnd()
    .replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const open = literal
    .replaceAll('/etc/fd-broker/broker\\.toml', '\\./broker\\.toml')
    .replaceAll('fd-broker \\(uid', 'daemon \\(uid')
    .replace(/[0-9a-f]{64}|[\w-]{43}(?=\n)/g, '\\S+')
    .replace(/(?<=[ug]id )\d+/g, '\\d+')
  return new RegExp(`^${open}\\n$`)
}

describe('an example does what it says:', () => {
  for (const [line, each] of Object.entries(CASES)) {
    const needsJq = line.includes('jq')
    it.runIf((!needsJq || isInstalled('jq')) && (line !== 'fd-broker check --explain' || IS_ROOT))(
      `${line}${needsJq ? ' (needs jq)' : ''}`,
      async () => {
        const { status, output } = await play(line, each)
        expect(output).toMatch(each.output)
        if (!each.endless) expect({ status, output }).toEqual({ status: each.status ?? 0, output })
        for (const shown of EXAMPLES.filter((example) => example.line === line && example.output.length > 0)) {
          expect(output).toMatch(pattern(shown.output))
        }
      },
    )
  }
})
