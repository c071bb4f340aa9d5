import { fstatSync } from 'node:fs'

/** A number that somebody else owns, and the file that it led to: it is not that one any more when it leads to another. */
export interface LentFile {
  readonly fd: number
  /** Empty for what has no inode of its own, as a pidfd before Linux 6.9. */
  readonly file: string
}

export const lentFile = (fd: number): LentFile => ({ fd, file: fileOf(fd) })

export const isStill = ({ fd, file }: LentFile): boolean => file !== '' && fileOf(fd) === file

function fileOf(fd: number): string {
  try {
    const stats = fstatSync(fd)
    return stats.isSocket() || stats.isFile() ? `${stats.dev}:${stats.ino}` : ''
  } catch {
    return ''
  }
}
