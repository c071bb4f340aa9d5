// No byte of a peer, a config or a broker reaches a terminal or a log as a control character.

const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** Control characters as `\xNN` or `\u{NNNN}`: line ends too, so that one line stays one, and what turns the direction of writing. */
export function printable(text: string): string {
  return text.replace(CONTROLS, (c) => {
    const digits = c.codePointAt(0)!.toString(16)
    return digits.length > 2 ? `\\u{${digits}}` : `\\x${digits.padStart(2, '0')}`
  })
}

/** JSON leaves DEL and C1, which terminals obey, and characters of format as they are; it may as well have them escaped. */
export function printableJson(value: unknown, indent = 2): string {
  return escapeJson(JSON.stringify(value, undefined, indent))
}

const UNESCAPED = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/u
const ALL_UNESCAPED = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu

/** The same JSON, without them. */
export function escapeJson(json: string): string {
  if (!UNESCAPED.test(json)) return json
  return json.replace(ALL_UNESCAPED, (c) =>
    Array.from({ length: c.length }, (_, at) => `\\u${c.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  )
}
