// What a terminal sends for a key, as one word a key.

const SEQUENCES: Readonly<Record<string, string>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  '[H': 'home',
  '[F': 'end',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[5~': 'page-up',
  '[6~': 'page-down',
}

const SINGLE: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\u007f': 'backspace',
  '\b': 'backspace',
  '\u0003': 'ctrl-c',
  '\u001a': 'ctrl-z',
  '\f': 'ctrl-l',
  '\u0015': 'ctrl-u',
}

/** ECMA-48: CSI with its parameters, or SS3; also of keys that mean nothing here, so that none of their bytes passes for a key. */
const SEQUENCE = /^(?:\[[0-?]*[ -/]*[@-~]|O[@-~])/

/** The keys of one read. A terminal sends a sequence in one piece, so an escape that stands alone is the key. */
export function readKeys(text: string): string[] {
  const keys: string[] = []
  let rest = text
  while (rest !== '') {
    if (rest.startsWith('\u001b')) {
      const sequence = SEQUENCE.exec(rest.slice(1))?.[0]
      const key = sequence === undefined ? 'escape' : SEQUENCES[sequence]
      if (key !== undefined) keys.push(key)
      rest = rest.slice(1 + (sequence?.length ?? 0))
      continue
    }
    const [character] = rest
    const key = SINGLE[character!] ?? (/\p{Cc}/u.test(character!) ? undefined : character)
    if (key !== undefined) keys.push(key)
    rest = rest.slice(character!.length)
  }
  return keys
}
