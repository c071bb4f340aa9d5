// Words of a peer inside a message: bounded, and harmless to terminals and logs.

const SHOWN_MAX = 64

/** `text` in double quotes, with what is not printable escaped, and cut after 64 characters. */
export function quote(text: string): string {
  const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text
  return JSON.stringify(shown).replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escaped)
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`
}
