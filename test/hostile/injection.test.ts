import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkFile } from '../../src/daemon/config/check-file.ts'
import { Asker, closeAll } from '../support/asker.ts'
import { asRoot } from '../support/config-texts.ts'
import { CLI, startDaemon, stopCleanly, temporaryDirectory, until } from '../support/daemon.ts'
import { times } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { seeded } from '../support/random.ts'

forbidLeaks()

const random = seeded(2_026)
const below = (end: number) => Math.floor(random() * end)
const PIECES = [
  'web',
  '../',
  '/',
  '\0',
  '\n',
  '\r\n',
  '\u001b[2J',
  '\u001b]0;x\u0007',
  '\u009b31m',
  '\u202e',
  '\u2066',
  '\u2028',
  '\u200b',
  '"',
  '\\',
  '{"level":60}',
  '$(id)',
  '`id`',
  '%s%n',
  "';--",
  '\ud83d\ude00',
  'ä',
  ' ',
  '[sockets.x]',
  '#',
  '=',
  ',',
  ':',
  '__proto__',
  'constructor',
  'x'.repeat(200),
]
const hostile = () => Array.from({ length: 1 + below(4) }, () => PIECES[below(PIECES.length)]).join('')

/** What a terminal obeys, or what turns a line's text around. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/

describe('hostile text', () => {
  it('is unsafe as it is', () => {
    const unsafe = Array.from({ length: 100 }, hostile).filter((text) => UNSAFE.test(text))
    expect(unsafe.length).toBeGreaterThan(20)
  })

  const count = times(400, 2000)
  it(`${count} times in names, labels and clients neither forges a line of the log nor reaches a terminal`, {
    timeout: 60_000,
  }, async () => {
    const sockets = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]'
    const daemon = await startDaemon({ sockets })
    const asker = await Asker.connect(daemon.control)
    let granted = 0
    const answers: string[] = []
    for (let at = 0; at < count; at++) {
      // A NUL closes the connection: it is malformed before it is a name.
      const text = hostile().replaceAll('\0', '')
      const [name, label] = at % 2 === 0 ? [text, 'x'] : ['web', text]
      const { message, fds } = await asker.received('acquire', { name, label })
      closeAll(fds)
      if (message['ok'] === true) granted++
      else answers.push(String(message['message']))
    }
    expect(granted).toBeGreaterThan(0)
    for (const text of answers) expect(UNSAFE.test(text)).toBe(false)

    const before = ['list', 'holders', 'stats'].map((command) =>
      execFileSync(process.execPath, [CLI, '--socket', daemon.control, command], { encoding: 'utf8' }),
    )
    for (const output of before) expect(UNSAFE.exec(output)).toBeNull()
    const json = execFileSync(process.execPath, [CLI, '--socket', daemon.control, 'holders', '--json'], {
      encoding: 'utf8',
    })
    expect(UNSAFE.exec(json)).toBeNull()
    expect(JSON.parse(json).holders.filter(({ lease }: { lease: number | null }) => lease !== null)).toHaveLength(
      granted,
    )

    await until(
      () => daemon.logs().filter(({ msg }) => msg === 'granted').length === granted,
      'as many lines as grants',
    )
    const lines = daemon.stderr().split('\n').slice(0, -1)
    expect(lines.length).toBe(daemon.logs().length)
    for (const line of lines) expect(JSON.parse(line)).toBeTypeOf('object')
    asker.close()
    await stopCleanly(daemon)
  })

  it('2000 times in configs is refused or taken, in lines that a terminal can show', { timeout: 60_000 }, () => {
    const file = join(temporaryDirectory(), 'broker.toml')
    const value = () =>
      [JSON.stringify(hostile()), `'${hostile()}'`, String(below(1e9)), '[]', `{ ${hostile()} = 1 }`][below(5)]!
    for (let at = 0; at < 2000; at++) {
      const keys = ['listen', 'allow', 'mode', 'backlog', JSON.stringify(hostile()), hostile()]
      const body = Array.from({ length: below(5) }, () => `${keys[below(keys.length)]} = ${value()}`)
      writeFileSync(
        file,
        [`[${['sockets.web', 'broker', `sockets.${JSON.stringify(hostile())}`, hostile()][below(4)]}]`, ...body].join(
          '\n',
        ),
      )
      for (const line of checkFile(file, asRoot).lines) expect(UNSAFE.exec(line)).toBeNull()
    }
  })
})
