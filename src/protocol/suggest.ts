import { levenshtein } from './levenshtein.ts'

/** Longer words are nobody's typing error, and the distance costs their length squared. */
const LONGEST = 64

/** The known word that was probably meant: one mistake in three letters at most. */
export function suggest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > LONGEST) return undefined
  const plain = word.toLowerCase().replaceAll('-', '_')
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    const distance = Math.min(levenshtein(plain, candidate), levenshtein(word, candidate))
    if (distance < least) {
      least = distance
      best = candidate
    }
  }
  return best
}

/** `; did you mean "backlog"?`, or else the other remedy. */
export function didYouMean(word: string, known: Iterable<string>, otherwise: string): string {
  const meant = suggest(word, known)
  return `; ${meant === undefined ? otherwise : `did you mean "${meant}"?`}`
}
