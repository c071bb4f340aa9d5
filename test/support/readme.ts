// Documents whose ```console blocks are run: `$ COMMAND`, and below it what its output has, line by line.

import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { expect } from 'vitest'
import { freePort } from '../../bench/support/free-port.mjs'
import { atEnd } from './cleanup.ts'
import { type Daemon, startDaemon, temporaryDirectory, until } from './daemon.ts'
import { STUB } from './exec.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** What the documents say, and the test puts a free port for. */
const PORT = '8080'
const STEP_MS = 60_000

export interface Step {
  command: string
  output: string[]
}

export function stepsOf(text: string): Step[] {
  const steps: Step[] = []
  for (const [, block] of text.matchAll(/^```console\n(.*?)^```$/gms)) {
    let heredoc: string | undefined
    for (const line of block!.trimEnd().split('\n')) {
      const last = steps.at(-1)
      if (heredoc !== undefined) last!.command += `\n${line}`
      else if (line.startsWith('$ ')) steps.push({ command: line.slice(2), output: [] })
      else last!.output.push(line)
      if (heredoc === undefined) heredoc = line.startsWith('$ ') ? /<<(\w+)$/.exec(line)?.[1] : undefined
      else if (line === heredoc) heredoc = undefined
    }
  }
  return steps
}

/**
 * Runs the steps of `document` in a copy of examples/, in the folder `cwd` of it, with a broker that has `config`. All of
 * them run in one shell. Returns the broker.
 */
export async function runDocument(document: string, { cwd, config }: { cwd: string; config: string }): Promise<Daemon> {
  const directory = temporaryDirectory()
  const port = String(await freePort())
  const put = (text: string) => text.replaceAll(PORT, port)
  cpSync(join(ROOT, 'examples'), join(directory, 'examples'), { recursive: true })
  const conf = join(directory, 'examples/nginx/nginx.conf')
  writeFileSync(conf, put(readFileSync(conf, 'utf8')))
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(ROOT, join(directory, 'node_modules/fd-broker'))
  mkdirSync(join(directory, 'bin'))
  symlinkSync(STUB, join(directory, 'bin/fd-broker'))
  const sockets = put(readFileSync(join(ROOT, config), 'utf8')).replace(/^\[broker\]\ncontrol = .*\n/m, '')
  const daemon = await startDaemon({ directory, sockets })
  await runSteps(put(readFileSync(join(ROOT, document), 'utf8')), {
    cwd: join(directory, cwd),
    env: { ...process.env, FD_BROKER_SOCKET: daemon.control, PATH: `${directory}/bin:${process.env['PATH']}` },
  })
  return daemon
}

/** The same where nothing is prepared: the document's steps install the package and start the broker. */
export async function runFromNothing(document: string, where: Where): Promise<void> {
  const port = String(await freePort())
  await runSteps(readFileSync(join(ROOT, document), 'utf8').replaceAll(PORT, port), where)
}

const INSTALL = 'npm install fd-broker'
/** Where the files of the tutorial have the control socket. */
const CONTROL_DIRECTORY = '/tmp/fd-broker-tutorial'

/**
 * Follows `document` to the letter, from an empty directory: only that `tarballs` are what the registry would have, and that port and
 * control socket are others than all the world's.
 */
export async function followDocument(document: string, tarballs: readonly string[]): Promise<void> {
  const directory = temporaryDirectory()
  const port = String(await freePort())
  const put = (text: string) => text.replaceAll(PORT, port).replaceAll(CONTROL_DIRECTORY, directory)
  const text = put(readFileSync(join(ROOT, document), 'utf8'))
  expect(text).toContain(`$ ${INSTALL}\n`)
  const edit = `sed -i 's#${CONTROL_DIRECTORY}#${directory}#; s#${PORT}#${port}#' node_modules/fd-broker/examples/tutorial/broker.toml`
  const install = `npm install --offline --ignore-scripts --no-audit --no-fund ${tarballs.join(' ')} && ${edit}`
  const cwd = join(directory, 'empty')
  mkdirSync(cwd)
  const { FD_BROKER_SOCKET: _, ...env } = process.env
  await runSteps(text.replace(`$ ${INSTALL}\n`, `$ ${install}\n`), { cwd, env })
}

async function runSteps(text: string, where: Where): Promise<void> {
  const shell = startShell(where)
  const steps = stepsOf(text)
  expect(steps.length).toBeGreaterThan(0)
  for (const { command, output } of steps) {
    const { status, text } = await shell.run(command)
    expect({ command, status, text }).toEqual({ command, status: 0, text: linesOf(output) })
  }
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** The lines, each with anything around it. */
function linesOf(output: readonly string[]) {
  const literal = (line: string) => line.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  return expect.stringMatching(new RegExp(output.map(literal).join('[^\\n]*\\n(.*\\n)*?.*'), 's'))
}

interface Where {
  cwd: string
  env: NodeJS.ProcessEnv
  uid?: number
}

/** A shell, and a process group of all that it starts, which ends with the test. */
function startShell({ cwd, env, uid }: Where) {
  const user = uid === undefined ? {} : { uid, gid: uid }
  const shell = spawn('bash', { cwd, env, ...user, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => shell.once('close', resolve))
  atEnd(async () => {
    process.kill(-shell.pid!, 'SIGKILL')
    await ended
  })
  let text = ''
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
  }
  let count = 0
  const run = async (command: string) => {
    const marker = `${basename(cwd)}-step-${++count}-status`
    text = ''
    shell.stdin.write(`${command}\necho "${marker} $?"\n`)
    const found = () => new RegExp(`${marker} (\\d+)\n`).exec(text)
    await until(() => found() !== null, `${command}:\n${text}`, STEP_MS).catch((error) => {
      throw new Error(`${error.message}\n${text}`)
    })
    return { status: Number(found()![1]), text }
  }
  return { run }
}
