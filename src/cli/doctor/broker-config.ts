// Which config a running broker was started with, where its command line may be read (proc(5)).

import { readFileSync, readlinkSync } from 'node:fs'
import { resolve } from 'node:path'

const OPTION = '--config'

/** Undefined when it was given none, or may not be looked at. */
export function configOfBroker(pid: number): string | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    const file = words.includes('serve') ? optionOf(words) : undefined
    return file === undefined ? undefined : resolve(readlinkSync(`/proc/${pid}/cwd`), file)
  } catch {
    return undefined
  }
}

function optionOf(words: readonly string[]): string | undefined {
  const at = words.indexOf(OPTION)
  if (at >= 0) return words[at + 1]
  return words.find((word) => word.startsWith(`${OPTION}=`))?.slice(OPTION.length + 1)
}
