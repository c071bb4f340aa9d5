/** Where a value stands in the file: `['sockets', 'web', 'listen', 1]`. */
export type KeyPath = readonly (string | number)[]

const BARE = /^[A-Za-z0-9_-]+$/

/** The path as an operator would write it: `sockets."a/b".listen[1]`. */
export function formatKeyPath(path: KeyPath): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += `${text === '' ? '' : '.'}${BARE.test(part) ? part : JSON.stringify(part)}`
  }
  return text
}
