// Every limit of protocol version 1, with its reason. All are checked before anything is allocated for the excess.

/** A request: enough for a hello that reclaims some 1,800 leases; small enough that a flood costs little. */
export const REQUEST_MAX = 16 * 1024

/** An answer or event: well under the default SO_SNDBUF, so that one packet always fits an empty queue. */
export const REPLY_MAX = 64 * 1024

/** Nesting of arrays and maps; the outermost map is 1. */
export const NESTING_MAX = 6

/** Descriptors in one packet: the kernel's SCM_MAX_FD is 253 (net/scm.h). */
export const FDS_PER_PACKET = 250

export const NAME_MAX = 128
export const GENERATION_MAX = 64
/** Bytes of UTF-8 in an acquire's `label`, hello's `client` and `token`. */
export const LABEL_MAX = 128
export const TOKEN_MAX = 256
/** Bytes of UTF-8 of a holder's STATUS=: so that `holders` of a full name stays a short answer. */
export const STATUS_MAX = 256

/** `wait` and other times on the wire are milliseconds; setTimeout's limit is 2^31 - 1 (24.8 days). */
export const MILLISECONDS_MAX = 2_147_483_647

/** Requests of one connection that wait for their answer (waiting acquires, held readies). */
export const IN_FLIGHT_MAX = 1024

/** Events that `history` tells of: some days of a quiet host; under a megabyte of the broker's memory. */
export const HISTORY_MAX = 1000

export const PROTOCOL_VERSION = 1
export const SUPPORTED_VERSIONS: readonly number[] = [1]
