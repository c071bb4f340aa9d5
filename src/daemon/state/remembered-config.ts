// The configuration that the broker before ran with: a crash changes nothing, whatever the file says by now. The file is read again at
// a reload.

import type { Folded } from '../../core/fold.ts'
import type { StateRecord } from '../../core/state.ts'
import type { ConfigEnv } from '../config/config-env.ts'
import type { Config } from '../config/model.ts'
import { type ConfigResult, parseConfig } from '../config/read-config.ts'

const KEY = 'config'

/** To be written when a configuration is applied. */
export function configRecord({ file, text }: Config): StateRecord {
  return { key: KEY, value: { file, text } }
}

/** Undefined when this broker cannot use what that one had. */
export function rememberedConfig({ values }: Folded, env: ConfigEnv): ConfigResult | undefined {
  const source = values.get(KEY) as Pick<Config, 'file' | 'text'> | undefined
  const result = source && parseConfig(source.text, source.file, env)
  return result && 'config' in result ? result : undefined
}
