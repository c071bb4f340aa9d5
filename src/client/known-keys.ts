import { BrokerError } from '../protocol/errors.ts'
import { quote } from '../protocol/quote.ts'
import { didYouMean } from '../protocol/suggest.ts'

/** A misspelt option must not be silently without effect. Throws INVALID, naming the key. `keys`: those that there are. */
export function requireKnownKeys(what: string, options: object, keys: Readonly<Record<string, true>>): void {
  for (const key in options) {
    if (Object.hasOwn(keys, key)) continue
    const known = Object.keys(keys)
    const remedy = didYouMean(key, known, `it takes ${known.join(', ')}`)
    throw new BrokerError('INVALID', `${what}: unknown option ${quote(key)}${remedy}`)
  }
}
