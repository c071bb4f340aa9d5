export { adoptSocket } from './adopt.ts'
export { Channel, type ChannelHandlers, type MessageInfo } from './channel.ts'
export { ControlListener } from './control-listener.ts'
export { prepareControlPath, releaseControlPath } from './control-path.ts'
export { type DescriptorStore, NO_STORE } from './descriptor-store.ts'
export { socketFigures } from './figures.ts'
export { type BoundSocket, openSocket } from './listen.ts'
export { notify } from './notify.ts'
export {
  type NotifySender,
  NotifySocket,
  prepareNotifyDirectory,
  releaseNotifyDirectory,
} from './notify-socket.ts'
export { UserNotifyThread } from './notify-thread.ts'
export { openSocketsOf, processesWith } from './open-sockets.ts'
export { dupAll, OwnedFd } from './owned-fd.ts'
export { type Peer, peerOf, processOf } from './peer.ts'
export { ProcessWatch } from './pidfd.ts'
export { inodeOf, ownPidfdId } from './pidfs.ts'
export { parentOf } from './proc.ts'
export { type ProcessFacts, processFacts } from './process-facts.ts'
export { become, type Program, type ProgramStart, resetSignals, startOf } from './program.ts'
export { keepReuseAddress, restoreBacklog, setNonBlocking } from './shared-state.ts'
export { identifySocket } from './socket-identity.ts'
export { socketCookie } from './sockopt.ts'
export { check, SystemError } from './system-error.ts'
