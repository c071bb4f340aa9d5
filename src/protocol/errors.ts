// The closed error table. Every refusal anywhere in the project is one of these rows; docs/errors.md is tested against it.

/** Who has to act on the error. */
export type Blame = 'client' | 'operator' | 'broker' | 'nobody'

interface ErrorRow {
  meaning: string
  blame: Blame
  /** Exit status of the command line. */
  exit: 1 | 100 | 111
  /** The broker closes the connection after sending it. */
  closes: boolean
  advice: string
}

export const ERRORS = {
  PROTOCOL: {
    meaning: 'the packet is malformed',
    blame: 'client',
    exit: 111,
    closes: true,
    advice: 'compare the packet with docs/protocol.md; the connection is closed',
  },
  VERSION: {
    meaning: 'the broker does not speak this protocol version',
    blame: 'client',
    exit: 111,
    closes: true,
    advice: 'use one of the versions in `supported`, or update the older side',
  },
  UNSUPPORTED: {
    meaning: 'the verb or feature is absent here',
    blame: 'client',
    exit: 1,
    closes: false,
    advice: 'look at `features` in the answer to hello; update the broker',
  },
  INVALID: {
    meaning: 'an argument is wrong',
    blame: 'client',
    exit: 100,
    closes: false,
    advice: 'correct the argument that the message names',
  },
  DENIED: {
    meaning: 'the policy does not allow it, or there is no such name',
    blame: 'operator',
    exit: 1,
    closes: false,
    advice: 'check the name, and `allow` of [sockets.NAME] (or admins, viewers) in the broker’s config',
  },
  NOT_FOUND: {
    meaning: 'no such name or lease (told to viewers only)',
    blame: 'client',
    exit: 1,
    closes: false,
    advice: '`fd-broker list` shows the names, `fd-broker holders` the leases',
  },
  BUSY: {
    meaning: 'the name has no room and `wait` is 0',
    blame: 'nobody',
    exit: 1,
    closes: false,
    advice: 'ask with `wait`, or release a lease: `fd-broker holders NAME` shows who has them',
  },
  PAUSED: {
    meaning: 'the name is paused and `wait` is 0',
    blame: 'operator',
    exit: 1,
    closes: false,
    advice: 'ask with `wait`, or `fd-broker resume NAME`',
  },
  LIMIT: {
    meaning: 'a quota is exhausted',
    blame: 'client',
    exit: 1,
    closes: false,
    advice: 'use less of what the message names, or raise the limit in the broker’s config',
  },
  TIMEOUT: {
    meaning: 'waited too long',
    blame: 'nobody',
    exit: 1,
    closes: false,
    advice: 'wait longer, or find out what is held: `fd-broker holders NAME`',
  },
  ENDED: {
    meaning: 'the lease is over',
    blame: 'client',
    exit: 1,
    closes: false,
    advice: 'the message says why; acquire again',
  },
  CLOSED: {
    meaning: 'the connection to the broker is lost (client side)',
    blame: 'nobody',
    exit: 111,
    closes: true,
    advice: 'check that the broker runs, and the path of its control socket',
  },
  SYSTEM: {
    meaning: 'a system call failed',
    blame: 'broker',
    exit: 111,
    closes: false,
    advice: 'the message names the system call and its errno',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value)
}

/** The one error class of the SDK and of the command line. `code` is a row of the error table. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: ErrorCode
  /** Extra fields that came with the answer, such as `supported` of VERSION. */
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: ErrorOptions & { details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options)
    this.code = code
    this.details = options.details ?? {}
  }
}
