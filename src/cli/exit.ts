/** The broker refused. */
export const EXIT_REFUSED = 1
/** Wrong usage or a bad config. */
export const EXIT_USAGE = 100
/** The system failed. */
export const EXIT_SYSTEM = 111

/** An end with this status, everything having been said. */
export class Exit extends Error {
  readonly status: number

  constructor(status: number) {
    super(`exit ${status}`)
    this.status = status
  }
}
