import { counted } from '../../protocol/counted.ts'
import { type ConfigEnv, unprivilegedPort } from './config-env.ts'
import { explainPrivileges } from './explain.ts'
import { formatFaults } from './fault.ts'
import type { Config } from './model.ts'
import { readConfig } from './read-config.ts'

/** What `fd-broker check` prints, and whether the file is good. Warnings do not make it bad. */
export function checkFile(path: string, env: ConfigEnv, explain = false): { ok: boolean; lines: string[] } {
  const result = readConfig(path, env)
  if ('faults' in result) return { ok: false, lines: formatFaults([...result.faults, ...result.warnings]).split('\n') }
  const lines = result.warnings.length === 0 ? [] : formatFaults(result.warnings).split('\n')
  const explanation = explain ? explainPrivileges(result.config, env.uid, unprivilegedPort()) : []
  return { ok: true, lines: [...lines, `${path}: ok: ${summary(result.config)}`, ...explanation] }
}

function summary({ names }: Config): string {
  const sockets = [...names.values()].reduce((sum, name) => sum + name.addresses.length, 0)
  return `${counted(names.size, 'name')}, ${counted(sockets, 'socket')}`
}
