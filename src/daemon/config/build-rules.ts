import { parseRule } from '../../core/rule-text.ts'
import type { Rule } from '../../core/types.ts'
import type { ConfigEnv } from './config-env.ts'
import type { KeyPath } from './key-path.ts'
import type { Report } from './report.ts'

const NO_TOKENS =
  'token: conditions are not in this version: use what the kernel tells, such as user:, group:, exe: or unit:'

/** The rules of one list; each that is at fault is reported under its own index. */
export function buildRules(texts: readonly string[], path: KeyPath, env: ConfigEnv, report: Report): Rule[] {
  const rules: Rule[] = []
  for (const [index, text] of texts.entries()) {
    if (/(^|\s)token:/.test(text)) {
      report.fault([...path, index], NO_TOKENS)
      continue
    }
    const rule = parseRule(text, env.accounts)
    if ('fault' in rule) report.fault([...path, index], rule.fault)
    else rules.push(rule)
  }
  return rules
}
