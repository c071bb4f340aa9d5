// Limits of the configuration, with their reasons.

import { MILLISECONDS_MAX } from '../../protocol/limits.ts'

/** Thousands of names fit into it; anything larger is not a config file. */
export const FILE_MAX = 4 * 1024 * 1024

/** Arrays and inline tables inside one another; the deepest key we know needs three. */
export const NESTING_MAX = 16

/** sun_path has 108 bytes and a closing NUL (unix(7)). */
export const SOCKET_PATH_MAX = 107

/** PATH_MAX is 4096 with the closing NUL; files below the directory need room. */
export const DIRECTORY_PATH_MAX = 3800

/** Every socket is a descriptor in the broker and in the keeper, and LimitNOFILE is 65536. */
export const NAMES_MAX = 8192
export const ADDRESSES_MAX = 1024

/** Every grant walks the list. */
export const RULES_MAX = 256

/** Each is compared with the secret of a hello. */
export const TOKENS_MAX = 1024

/** A timer counts its milliseconds in 31 bits; whole hours are easier to say. */
export const LONGEST_MS = Math.floor(MILLISECONDS_MAX / 3_600_000) * 3_600_000
export const LONGEST_WHY = 'a timer counts milliseconds in 31 bits'
