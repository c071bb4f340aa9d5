#ifndef FD_BROKER_AUDIT_H
#define FD_BROKER_AUDIT_H

#include <stddef.h>
#include <stdint.h>

/* What is no option, but belongs to what a holder can change: read under this level by these names, as one int32. */
#define AUDIT_FACT (-1)

enum audit_fact {
  AUDIT_NONBLOCK = 1, /* O_NONBLOCK of the open file description */
  AUDIT_HANGUP,       /* POLLHUP and POLLRDHUP, as poll(2) gives them */
  AUDIT_TCP_BACKLOG,  /* of a TCP listener; -1 when it does not listen */
  AUDIT_UNIX_BACKLOG, /* of a Unix listener; -1 where the kernel does not tell */
  AUDIT_CONNECTED,    /* 1 when the socket has a peer */
  AUDIT_FILTER,       /* length of the socket filter; below 0 when it cannot be read */
  AUDIT_UDP_SHUTDOWN, /* 1: for reading, 2: for writing; where the kernel does not tell, as AUDIT_HANGUP */
  AUDIT_UNIX_SHUTDOWN,
  AUDIT_MD5SIG,       /* keys of TCP_MD5SIG on a listener that has dropped something; 0 without CAP_NET_ADMIN */
};

struct audit_row {
  int32_t level;
  int32_t name;
  int32_t size;
};

/*
 * Fills `values` with what each row says, one after the other: as many bytes as its size, of which those
 * that the kernel did not write are 0xff: all of them where it has no such option here. Returns the bytes filled, or -errno, also
 * where anything could not be asked for want of descriptors or memory.
 */
int audit_read(int fd, const struct audit_row *rows, size_t count, uint8_t *values, size_t length);

#endif
