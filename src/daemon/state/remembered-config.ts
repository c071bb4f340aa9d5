// The configuration that the broker before ran with: a crash changes nothing, whatever the file says by now. The file is read again at
// a reload.

import type { StateRecord } from '../../core/state.ts'
import type { Keeper } from '../../sys/index.ts'
import type { ConfigEnv } from '../config/config-env.ts'
import type { Config } from '../config/model.ts'
import { type ConfigResult, parseConfig } from '../config/read-config.ts'
import { KeptDescriptors } from '../kept-descriptors.ts'
import { readState } from './read-state.ts'

const KEY = 'config'

/** To be written when a configuration is applied. */
export function configRecord({ file, text }: Config): StateRecord {
  return { key: KEY, value: { file, text } }
}

/** Undefined when this is no broker that comes after a death, or cannot use what that one had. */
export function rememberedConfig(keeper: Keeper, env: ConfigEnv): ConfigResult | undefined {
  if (keeper.hello.role !== 'again') return undefined
  const kept = new KeptDescriptors(keeper)
  try {
    const source = readState(kept).values.get(KEY) as Pick<Config, 'file' | 'text'> | undefined
    const result = source && parseConfig(source.text, source.file, env)
    return result && 'config' in result ? result : undefined
  } catch {
    // A state that cannot be read is told of when the broker is made.
    return undefined
  } finally {
    kept.close()
  }
}
