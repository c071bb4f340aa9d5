import { constants } from './addon.ts'
import { SystemError } from './system-error.ts'

const { EAGAIN, EINTR, EMFILE, ENFILE, ETOOMANYREFS, ENOBUFS, ENOMEM } = constants.errno

/** Something is short, and nobody says when it no longer is. */
const shortages: ReadonlySet<number> = new Set([EMFILE, ENFILE, ETOOMANYREFS, ENOBUFS, ENOMEM])

export const isShortage = (errno: number): boolean => shortages.has(errno)

/** The same call may succeed later: it says nothing of whoever is at the other end. */
export const isPassing = (errno: number): boolean => errno === EAGAIN || errno === EINTR || isShortage(errno)

export const isShort = (error: unknown): error is SystemError => error instanceof SystemError && isShortage(error.errno)
