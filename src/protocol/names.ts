// The grammar of names (no colon, so that they fit into LISTEN_FDNAMES) and of generation labels.

import { GENERATION_MAX, NAME_MAX } from './limits.ts'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._@/-]*$/

/** What is wrong with a name, or undefined when it is a good one. */
export function nameFault(name: string, max: number = NAME_MAX): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > max) return `is longer than ${max} characters`
  if (!NAME.test(name)) return 'must begin with a letter or digit and hold only letters, digits and . _ @ / -'
  if (/^[0-9]+$/.test(name)) return 'must not be all digits (that is a lease)'
  for (const part of name.split('/')) {
    if (part === '' || part === '.' || part === '..') return 'must not have an empty, "." or ".." part between slashes'
  }
  return undefined
}

/** What is wrong with a generation label: a name's grammar, at most 64 bytes. */
export function generationFault(label: string): string | undefined {
  return nameFault(label, GENERATION_MAX)
}
