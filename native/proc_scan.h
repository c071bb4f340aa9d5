#ifndef FD_BROKER_PROC_SCAN_H
#define FD_BROKER_PROC_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* What to look for in /proc: processes with one of these sockets open, and these processes in any case. Both sorted. */
struct proc_wanted {
  uint64_t *inodes;
  size_t inode_count;
  int32_t *pids;
  size_t pid_count;
};

/* Found processes, one after another: a header, then the inodes that it has open, then the texts of /proc. */
struct proc_found {
  unsigned char *bytes;
  size_t length;
  size_t room;
  /* Of those whose descriptors we may not read (ptrace(2)): the pids. */
  uint32_t *unseen;
  size_t unseen_count;
  size_t unseen_room;
};

struct proc_record {
  uint32_t pid;
  uint32_t parent;
  /* Effective, as SO_PEERCRED has them. */
  uint32_t uid;
  uint32_t gid;
  uint32_t inodes;
  /* Bytes of each. */
  uint32_t cgroup;
  uint32_t cmdline;
};

/*
 * Returns 0 or -errno: that of a process that cannot be looked at for want of descriptors or memory, too, which may have anything open.
 * The caller frees found->bytes and found->unseen in either case.
 */
int proc_scan(const struct proc_wanted *wanted, struct proc_found *found);

#endif
