// The command lines that the documents and --help show, and how they are run: by bash, in a directory with a config, against a broker.

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { atEnd } from './cleanup.ts'
import { until } from './daemon.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export interface Example {
  line: string
  /** What the document shows below it. */
  output: string[]
  where: string
}

/** Those below `Examples:`; of the program's own help a remark follows after blanks. */
export function helpExamples(command: string, help: string): Example[] {
  const below = help.split('Examples:\n')[1] ?? ''
  const lines = below.split('\n').filter((line) => line.startsWith('  '))
  return lines.map((line) => ({
    line: line.trim().replace(/ {2,}(?!#).*$/, ''),
    output: [],
    where: `${command} --help`,
  }))
}

const IS_COMMAND = /^(?:\$ )?((?:fd-broker|source|npm install) .*)$/

/** Lines set in by four, with or without a prompt; what follows one with a prompt is its output. */
export function documentExamples(): Example[] {
  const documents = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((file) => `docs/${file}`)]
  return documents
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const found: Example[] = []
      let open: Example | undefined
      for (const raw of readFileSync(join(ROOT, file), 'utf8').split('\n')) {
        const text = raw.startsWith('    ') ? raw.slice(4) : undefined
        const line = text === undefined ? undefined : IS_COMMAND.exec(text)?.[1]
        if (line !== undefined) {
          const example = { line, output: [], where: file }
          found.push(example)
          open = text!.startsWith('$ ') ? example : undefined
        } else if (text === undefined) open = undefined
        else open?.output.push(text)
      }
      return found
    })
}

export interface Ran {
  status: number | null
  output: string
}

export interface RunOptions {
  cwd: string
  env: NodeJS.ProcessEnv
  /** Ends it by Ctrl-C once its output matches: of itself it would go on for ever. */
  endless?: RegExp | undefined
  /** Done when it runs. */
  meanwhile?: (() => unknown) | undefined
}

export async function runLine(line: string, { cwd, env, endless, meanwhile }: RunOptions): Promise<Ran> {
  const shell = spawn('bash', ['-c', line], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-shell.pid!, name)
    } catch {
      // All of it has ended.
    }
  }
  const closed = new Promise<number | null>((resolve) => shell.once('close', resolve))
  atEnd(async () => {
    signal('SIGKILL')
    await closed
  })
  if (endless) {
    let tries = 0
    await until(
      async () => {
        if (tries++ % 100 === 0) await meanwhile?.()
        return endless.test(output) || shell.exitCode !== null
      },
      `${endless} of: ${line}`,
      20_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${output}`)
    })
    signal('SIGINT')
    setTimeout(() => signal('SIGKILL'), 3000).unref()
  }
  return { status: await closed, output }
}
