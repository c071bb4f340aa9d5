// Giving up: by the caller's signal, or because the time is over. Nothing stays behind: no timer, no listener.

import { startTimer } from './timer.ts'

export interface Limits {
  signal?: AbortSignal | undefined
  /** Milliseconds from now; absent: no limit. */
  timeout?: number | undefined
  /** The error when the time is over. */
  late?: () => Error
}

/**
 * Calls `giveUp` once with the reason when the signal aborts (at once if it has) or the time is over.
 * Returns the function that ends the watch; call it when the wait is over.
 */
export function watchLimits({ signal, timeout, late }: Limits, giveUp: (reason: unknown) => void): () => void {
  if (signal?.aborted) {
    giveUp(signal.reason)
    return () => {}
  }
  const end = () => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
  const onAbort = () => {
    end()
    giveUp(signal?.reason)
  }
  const onLate = () => {
    end()
    giveUp(late?.() ?? new Error('too late'))
  }
  const timer = timeout === undefined ? undefined : startTimer(onLate, timeout)
  signal?.addEventListener('abort', onAbort)
  return end
}

/** Settles as `promise` does, or resolves when the time is over; the promise itself goes on. */
export function noLongerThan(timeout: number, promise: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = watchLimits({ timeout }, () => resolve())
    promise.then(resolve, reject).finally(end)
  })
}

/** Settles as `promise` does, or rejects first when the limits are reached; the promise itself goes on. */
export function within<T>(promise: Promise<T>, limits: Limits): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = watchLimits(limits, reject)
    promise.then(resolve, reject).finally(end)
  })
}
