import { describe, expect, it } from 'vitest'
import { BrokerError, ERRORS, type ErrorCode } from '../../src/protocol/errors.ts'
import { VERSION } from '../../src/protocol/version.ts'
import { runCli } from '../support/fake-env.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const COMMANDS = ['serve', 'check', 'list', 'holders', 'stats']

describe('wrong usage exits 100, and says what is right:', () => {
  it.each<[string[], RegExp]>([
    [[], /Usage: fd-broker/],
    [['lst'], /unknown command 'lst'.*\n.*Did you mean list\?/],
    [['holder'], /Did you mean holders\?/],
    [['list', '--jsn'], /unknown option '--jsn'.*\n.*Did you mean --json\?/],
    [['serve', '--confg', 'x'], /Did you mean --config\?/],
    [['list', '--socket'], /--socket/],
    [['shutdown', '--socket', ''], /--socket.*give the path of the control socket/],
    [['stats', 'web'], /too many arguments/],
    [['resume', 'web', 'api'], /too many arguments/],
    [['serve', '--config'], /argument missing/],
    [['serve', '--log-level', 'loud', '--config', '/nonexistent'], /log-level.*\n?.*info/],
  ])('fd-broker %j', async (argv, words) => {
    const { status, stdout, stderr, open } = await runCli(argv)
    expect(stderr).toMatch(words)
    expect([status, stdout, open]).toEqual([100, '', 0])
  })
})

describe('help', () => {
  const help = async (...argv: string[]) => {
    const { status, stdout, stderr } = await runCli(argv)
    expect([status, stderr]).toEqual([0, ''])
    return stdout
  }

  it('of the program names every command, and the exit statuses', async () => {
    for (const argv of [['--help'], ['-h'], ['help']]) {
      const text = await help(...argv)
      for (const command of COMMANDS) expect(text).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'))
      expect(text).toContain('Exit status: 0 done, 1 refused, 100 wrong usage or bad config, 111 the system failed.')
    }
  })

  it.each(COMMANDS)('of %s has examples, whose options there are', async (command) => {
    const text = await help(command, '--help')
    expect(await help('help', command)).toBe(text)
    const own = [...text.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, option]) => option)
    const general = [...(await help('--help')).matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, option]) => option)
    const examples = text.slice(text.indexOf('Examples:')).split('\n').slice(1).join('\n')
    const lines = [...examples.matchAll(/fd-broker (\w+)([^|&#\n]*)/g)]
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.some(([, name]) => name === command)).toBe(true)
    for (const [, name, rest] of lines) {
      expect(COMMANDS).toContain(name)
      if (name !== command) continue
      for (const [option] of rest!.matchAll(/--[\w-]+/g)) expect([...own, ...general]).toContain(option)
    }
  })

  it('goes to standard output, and lines fit a terminal', async () => {
    for (const command of COMMANDS) {
      for (const line of (await help(command, '--help')).split('\n')) expect(line.length).toBeLessThanOrEqual(130)
    }
  })
})

it('--version prints the version', async () => {
  for (const option of ['-V', '--version']) {
    expect(await runCli([option])).toMatchObject({ status: 0, stdout: `${VERSION}\n`, stderr: '' })
  }
})

describe('a refusal', () => {
  it.each(Object.keys(ERRORS) as ErrorCode[])('%s exits with its row of the table and one line', async (code) => {
    const broker = { list: () => Promise.reject(new BrokerError(code, 'what you can do')) }
    expect(await runCli(['list'], { broker })).toEqual({
      status: ERRORS[code].exit,
      stdout: '',
      stderr: `fd-broker: ${code}: what you can do\n`,
      sockets: [undefined],
      open: 0,
    })
  })

  it('that nobody foresaw exits 111', async () => {
    const broker = { stats: () => Promise.reject(new Error('surprise')) }
    expect(await runCli(['stats'], { broker })).toMatchObject({ status: 111, stderr: 'fd-broker: surprise\n', open: 0 })
  })

  it('shows no control byte of the broker’s words', async () => {
    const broker = { list: () => Promise.reject(new BrokerError('DENIED', 'a\u001b[2Jb\nc')) }
    const { stderr } = await runCli(['list'], { broker })
    expect(stderr).not.toContain('\u001b')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })
})

it('--socket before or after the command chooses the broker', async () => {
  const broker = { list: async () => [] }
  for (const argv of [
    ['--socket', '/a/b', 'list'],
    ['list', '--socket', '/a/b'],
    ['list', '--socket=/a/b'],
  ]) {
    expect(await runCli(argv, { broker })).toMatchObject({ status: 0, sockets: ['/a/b'], open: 0 })
  }
})
