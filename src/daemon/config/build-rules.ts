import { parseRule } from '../../core/rule-text.ts'
import type { Rule } from '../../core/types.ts'
import { tokenFault } from './build-tokens.ts'
import type { ConfigEnv } from './config-env.ts'
import type { KeyPath } from './key-path.ts'
import type { Report } from './report.ts'

/** The rules of one list; each that is at fault is reported under its own index. */
export function buildRules(texts: readonly string[], path: KeyPath, env: ConfigEnv, report: Report): Rule[] {
  const rules: Rule[] = []
  for (const [index, text] of texts.entries()) {
    const rule = parseRule(text, env.accounts)
    const fault = 'fault' in rule ? rule.fault : missingToken(rule, env)
    if (fault !== undefined) report.fault([...path, index], fault)
    else rules.push(rule as Rule)
  }
  return rules
}

function missingToken(rule: Rule, { tokens }: ConfigEnv): string | undefined {
  for (const condition of rule) {
    const fault = condition.kind === 'token' ? tokenFault(condition.name, tokens ?? new Map()) : undefined
    if (fault !== undefined) return fault
  }
  return undefined
}
