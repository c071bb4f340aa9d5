import { setTimeout as sleep } from 'node:timers/promises'
import { UserNotifyThread } from './notify-thread.ts'

/**
 * A thread is done with a datagram within microseconds, unless letting go of a descriptor that came with it blocks. Who sent such a
 * one is waited for no longer; that message is then heard by this broker alone.
 */
const PATIENCE_MS = 250

/** Resolves when no thread receives any more: what comes waits in its socket, for whoever is the broker then. */
export async function holdNotify(): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !UserNotifyThread.hold() && performance.now() < end; )
    await sleep(1)
}

/** After holdNotify(): everything that came before it is handed on before this returns. */
export function takeHeldNotify(): void {
  UserNotifyThread.hold()
  UserNotifyThread.takeAll()
}

export function resumeNotify(): void {
  UserNotifyThread.resume()
}
