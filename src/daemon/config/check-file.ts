import type { ConfigEnv } from './config-env.ts'
import { formatFaults } from './fault.ts'
import type { Config } from './model.ts'
import { readConfig } from './read-config.ts'

/** What `fd-broker check` prints, and whether the file is good. Warnings do not make it bad. */
export function checkFile(path: string, env: ConfigEnv): { ok: boolean; lines: string[] } {
  const result = readConfig(path, env)
  if ('faults' in result) return { ok: false, lines: formatFaults([...result.faults, ...result.warnings]).split('\n') }
  const lines = result.warnings.length === 0 ? [] : formatFaults(result.warnings).split('\n')
  return { ok: true, lines: [...lines, `${path}: ok: ${summary(result.config)}`] }
}

function summary({ names }: Config): string {
  const sockets = [...names.values()].reduce((sum, name) => sum + name.addresses.length, 0)
  return `${counted(names.size, 'name')}, ${counted(sockets, 'socket')}`
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
