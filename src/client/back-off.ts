// Exponential, with jitter, so that a host full of workers does not come back to a restarted broker in step.

export const FIRST_DELAY = 20
export const LONGEST_DELAY = 1000

/** Milliseconds to wait before the next attempt, after `failures` in a row; half of it at least. */
export function backOff(failures: number, random: () => number = Math.random): number {
  if (failures === 0) return 0
  const full = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1))
  return full * (0.5 + random() / 2)
}
