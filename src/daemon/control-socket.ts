// The control socket and its lock: those of the broker before, where the keeper has them, else new ones.

import { ControlListener, type ControlPath, type OwnedFd, prepareControlPath, resumeControlPath } from '../sys/index.ts'
import type { Config } from './config/model.ts'
import { CONTROL_KEY, type Keeping, LOCK_KEY } from './keeping.ts'
import type { KeptDescriptors } from './kept-descriptors.ts'
import type { Log } from './log.ts'

/** Called before anything is bound. */
export function lockControl({ broker }: Config, kept: KeptDescriptors, keeping?: Keeping): ControlPath {
  const { control, user } = broker
  const [lock] = kept.claim(LOCK_KEY)
  const resumed = lock && resumeControlPath(control, lock)
  const listening = resumed === undefined && lock === undefined && hasListener(kept, control)
  if (resumed === undefined && !listening) dropKept(kept, lock)
  if (resumed === undefined && keeping?.keeper.isCandidate)
    throw new Error(`the lock of ${control} was not handed over`)
  const path = resumed ?? prepareControlPath(control, { owner: user?.uid, locker: keeping?.locker, listening })
  keeping?.locked(path)
  return path
}

/** A service manager keeps no lock, but it may have the listener. */
function hasListener(kept: KeptDescriptors, control: string): boolean {
  const fds = kept.claim(CONTROL_KEY)
  const has = fds[0] !== undefined && ControlListener.isBoundTo(fds[0], control)
  kept.giveBack(CONTROL_KEY, fds)
  return has
}

/** A path whose lock is not ours any more is another's, or must be bound anew. */
function dropKept(kept: KeptDescriptors, lock: OwnedFd | undefined): void {
  if (lock !== undefined) kept.store.delete(LOCK_KEY)
  lock?.close()
  for (const fd of kept.claim(CONTROL_KEY)) {
    kept.store.delete(CONTROL_KEY)
    fd.close()
  }
}

/** Accepts nothing before resume(). */
export function openControl(
  { broker: { control, controlMode } }: Config,
  kept: KeptDescriptors,
  accept: (fd: OwnedFd) => void,
  log: Log,
): ControlListener {
  const onExhausted = (errno: number) =>
    log.error({ errno }, 'accepting stopped for a moment: out of descriptors or memory; see RLIMIT_NOFILE')
  const options = { onExhausted, paused: true }
  const [socket] = kept.claim(CONTROL_KEY)
  const adopted = socket && ControlListener.adopt(socket, control, controlMode, accept, options)
  if (adopted !== undefined) return adopted
  socket?.close()
  const listener = ControlListener.listen(control, controlMode, accept, options)
  kept.store.put(CONTROL_KEY, [listener.fd])
  return listener
}
