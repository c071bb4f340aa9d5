import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { FILE_MAX } from './limits.ts'

export interface ConfigText {
  text: string
  /** Permission bits of the file. */
  mode: number
  /** Its group. */
  gid: number
  warning?: string
}

/** The text of a config file, or what is wrong with the file itself and how to mend it. */
export function readConfigFile(path: string, uid: number): ConfigText | { fault: string } {
  let fd: number
  try {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    return { fault: openFault(path, error as NodeJS.ErrnoException) }
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) return { fault: 'is not a regular file; give the path of the config file itself' }
    if (stat.size > FILE_MAX) return { fault: `is larger than ${FILE_MAX / 1024 / 1024} MiB; is it the config file?` }
    // Whoever may write the file of a root broker may have any port and any user's sockets.
    if (uid === 0 && (stat.mode & 0o022) !== 0)
      return { fault: `can be written by others than its owner; chmod go-w ${path}` }
    const content = decode(readAtMost(fd, FILE_MAX + 1))
    if ('fault' in content) return content
    const read = { ...content, mode: stat.mode & 0o777, gid: stat.gid }
    if (uid !== 0 || stat.uid === 0) return read
    return { ...read, warning: `belongs to uid ${stat.uid}, who thus decides for root; chown root ${path}` }
  } catch (error) {
    return { fault: `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})` }
  } finally {
    closeSync(fd)
  }
}

function openFault(path: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT')
    return `does not exist; make one that begins with [sockets.NAME] and listen = "tcp://…" (see docs/configuration.md), or name another`
  if (error.code === 'EACCES') return `may not be read by uid ${process.getuid?.()}; chown or chmod ${path}`
  return `cannot be opened (${error.code ?? error.message})`
}

/** The file may grow while it is read; the limit holds all the same. */
function readAtMost(fd: number, most: number): Buffer {
  const buffer = Buffer.allocUnsafe(most)
  let length = 0
  while (length < most) {
    const read = readSync(fd, buffer, length, most - length, null)
    if (read === 0) break
    length += read
  }
  return buffer.subarray(0, length)
}

function decode(bytes: Buffer): { text: string } | { fault: string } {
  if (bytes.length > FILE_MAX) return { fault: `is larger than ${FILE_MAX / 1024 / 1024} MiB; is it the config file?` }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return { fault: 'is not UTF-8; convert it, for instance with iconv -f latin1 -t utf-8' }
  }
}
