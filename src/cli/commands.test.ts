import { describe, expect, it } from 'vitest'
import { COMMANDS, commandOf } from './commands.ts'

describe('the command that a command line names', () => {
  it.each<[string[], string | undefined]>([
    [['list'], 'list'],
    [['--socket', 'holders', 'list', '--json'], 'list'],
    [['--socket=/a', 'exec', 'web', '--', 'list'], 'exec'],
    [['help', 'list'], undefined],
    [['completion', 'bash'], undefined],
    [['--help'], undefined],
    [['-h', 'list'], undefined],
    [['lst'], undefined],
    [['toString'], undefined],
    [[], undefined],
  ])('of %j is %s', (argv, command) => {
    expect(commandOf(argv)).toBe(command)
  })
})

it('each row loads its own command', async () => {
  const { Command } = await import('commander')
  for (const [name, load] of Object.entries(COMMANDS)) {
    const add = await load()
    expect(add(new Command(), {} as never).name()).toBe(name)
  }
})
