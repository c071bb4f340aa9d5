#include "peer.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int peer_read(int socket, struct peer *peer)
{
  struct ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
    return -errno;
  peer->pid = credentials.pid;
  peer->uid = (int32_t)credentials.uid;
  peer->gid = (int32_t)credentials.gid;

  length = sizeof peer->groups;
  int status = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &length);
  peer->groups_length = status < 0 ? -errno : (int32_t)length;

  length = sizeof peer->pidfd;
  status = getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &peer->pidfd, &length);
  if (status < 0)
    peer->pidfd = -errno;

  struct stat stat;
  peer->has_inode = peer->pidfd >= 0 && fstat(peer->pidfd, &stat) == 0;
  if (peer->has_inode) {
    peer->inode_low = (uint32_t)stat.st_ino;
    peer->inode_high = (uint32_t)((uint64_t)stat.st_ino >> 32);
  }
  return 0;
}
