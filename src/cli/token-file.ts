import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { TOKEN_MAX } from '../protocol/limits.ts'

/** The secret in a file, less the line's end. Throws an Error that says what to do, and never what is in the file. */
export function readTokenFile(path: string): string {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const { mode } = fstatSync(fd)
    if ((mode & 0o044) !== 0) throw new Error(`${path} may be read by others than its owner: chmod go-r ${path}`)
    const buffer = Buffer.alloc(TOKEN_MAX + 2)
    const secret = buffer.toString('utf8', 0, readSync(fd, buffer)).replace(/\r?\n$/, '')
    if (secret === '' || secret.length > TOKEN_MAX || /[^\x21-\x7e]/.test(secret))
      throw new Error(`${path} must hold one secret, as \`fd-broker token new\` prints it, and nothing else`)
    return secret
  } finally {
    closeSync(fd)
  }
}
