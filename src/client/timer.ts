import { MILLISECONDS_MAX } from '../protocol/limits.ts'

/** As setTimeout, which fires at once for what it cannot count to; undefined, and never, for that. */
export function startTimer(act: () => void, milliseconds: number): NodeJS.Timeout | undefined {
  return milliseconds > MILLISECONDS_MAX ? undefined : setTimeout(act, Math.max(0, milliseconds))
}
