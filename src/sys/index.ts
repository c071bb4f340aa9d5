export { Channel, type ChannelHandlers, type ChannelOptions, type MessageInfo } from './channel.ts'
export { ControlListener, type ControlListenerOptions } from './control-listener.ts'
export { type ControlPath, prepareControlPath, releaseControlPath } from './control-path.ts'
export { type SocketFigures, socketFigures, type UnixState, unixState } from './figures.ts'
export { type BoundSocket, openSocket } from './listen.ts'
export { type NotifyOptions, notify } from './notify.ts'
export {
  type NotifySender,
  NotifySocket,
  prepareNotifyDirectory,
  releaseNotifyDirectory,
} from './notify-socket.ts'
export { UserNotifyThread } from './notify-thread.ts'
export { openSocketsOf, socketInode } from './open-sockets.ts'
export { dupAll, OwnedFd } from './owned-fd.ts'
export { isAlive, type Peer, type PeerOptions, peerOf, processOf } from './peer.ts'
export { ProcessWatch, signalProcess } from './pidfd.ts'
export { DISCONNECT, Poll, READABLE, WRITABLE } from './poll.ts'
export { type ProcessFacts, processFacts } from './process-facts.ts'
export type { Credentials } from './receive.ts'
export { restoreBacklog, setNonBlocking } from './shared-state.ts'
export { findSocketOwner, type SocketOwner } from './socket-owner.ts'
export { networkCookie, socketCookie } from './sockopt.ts'
export { check, SystemError } from './system-error.ts'
