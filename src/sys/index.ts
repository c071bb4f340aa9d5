export { AddressInUse } from './address-in-use.ts'
export { adoptLeaving, adoptSocket, foreseeSocket, takeUp } from './adopt.ts'
export { Channel, type ChannelHandlers, type MessageInfo } from './channel.ts'
export { ControlListener } from './control-listener.ts'
export {
  type ControlPath,
  type Locker,
  prepareControlPath,
  releaseControlPath,
  resumeControlPath,
  SELF_LOCKER,
} from './control-path.ts'
export { type DescriptorStore, NO_STORE } from './descriptor-store.ts'
export { endListener, endSocket, readiness } from './end-listener.ts'
export { ExitSet } from './exit-set.ts'
export { socketFigures } from './figures.ts'
export { holdersMayFilter, lockFilter } from './filter-lock.ts'
export { type Findings, GuardedSocket } from './guarded-socket.ts'
export { HangupWatch } from './hangup-watch.ts'
export { Keeper, type KeeperEvent } from './keeper.ts'
export { findKeeper } from './keeper-find.ts'
export { becomeKeeper } from './keeper-start.ts'
export { type KernelFeatures, kernelFeatures } from './kernel-features.ts'
export { KillWatch } from './kill-watch.ts'
export { isStill, type LentFile, lentFile } from './lent-file.ts'
export { type BoundSocket, openSocket, unboundSocket } from './listen.ts'
export { type PassedFd, takePassedFds } from './listen-fds.ts'
export { rememberOptions, setBacklog, setLiveOptions, setPathAccess } from './live-option.ts'
export { createMemoryFile, readWhole, writeAt } from './memory-file.ts'
export { hasUnixDgram, notify } from './notify.ts'
export { holdNotify, resumeNotify, takeHeldNotify } from './notify-hold.ts'
export {
  type NotifySender,
  NotifySocket,
  prepareNotifyDirectory,
  releaseNotifyDirectory,
} from './notify-socket.ts'
export { UserNotifyThread } from './notify-thread.ts'
export { openSocketsOf } from './open-sockets.ts'
export { ownUnit } from './own-unit.ts'
export { dupAll, OwnedFd, openSpare } from './owned-fd.ts'
export { isPassing, isShort, isShortage } from './passing-errors.ts'
export { isAlive, isWritable, type Peer, peerOf, pidfdWith, processOf } from './peer.ts'
export { ProcessWatch, watchProcess } from './pidfd.ts'
export { inodeOf, ownPidfdId } from './pidfs.ts'
export { Poll, READABLE } from './poll.ts'
export { becomeUser, type Capability, type Login } from './privileges.ts'
export { askForShortTurns, isGone, mayLookInto, nameOf, parentOf, yieldProcessor } from './proc.ts'
export { containerOfCgroup, type ProcessFacts, processFacts, unitOfCgroup, type WantedFacts } from './process-facts.ts'
export { become, type Program, type ProgramStart, resetSignals, startOf } from './program.ts'
export type { Credentials } from './receive.ts'
export { cookieScope, OpenSocketSearch, type Recovered } from './recover-socket.ts'
export { openSuccessor, replaceFault, type Successor, type Takeover } from './replace-socket.ts'
export { ReuseGroup } from './reuse-group.ts'
export { type ScannedProcess, scanProcesses, surveyProcesses } from './scan.ts'
export { keepReuseAddress, restoreBacklog, setNonBlocking } from './shared-state.ts'
export { identifySocket } from './socket-identity.ts'
export { socketPair } from './socket-pair.ts'
export { socketCookie } from './sockopt.ts'
export { findEpolls, idleDescriptor, readinessOf, swapDescriptor } from './swap-descriptor.ts'
export { check, SystemError } from './system-error.ts'
export { makeDirectories, removeDirectories, removeStrays } from './unix-path.ts'
