#ifndef FD_BROKER_PEER_H
#define FD_BROKER_PEER_H

#include <stdint.h>

enum { PEER_GROUPS_MAX = 64 };

/* Shared with JavaScript as an Int32Array: its fields are 32 bits wide and in this order. */
struct peer {
  int32_t pid;
  int32_t uid;
  int32_t gid;
  int32_t pidfd; /* of the caller; or -errno */
  int32_t has_inode;
  uint32_t inode_low;
  uint32_t inode_high;
  int32_t groups_length; /* in bytes; or -errno, ERANGE when there are more than PEER_GROUPS_MAX */
  int32_t groups[PEER_GROUPS_MAX];
};

/* Who connected, by the kernel's word. Returns 0, or -errno. */
int peer_read(int socket, struct peer *peer);

#endif
