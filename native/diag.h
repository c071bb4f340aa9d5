#ifndef FD_BROKER_DIAG_H
#define FD_BROKER_DIAG_H

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One question to sock_diag(7). `request` begins with a struct nlmsghdr, whose length and flags are set here. Returns the bytes of the
 * answer, of which the first message is one with at least `least` bytes of payload; or -errno,
 * -EMSGSIZE where it is longer than `most`.
 */
int diag_ask(void *request, size_t length, void *answer, size_t most, size_t least);

struct unix_figures {
  uint32_t rqueue;
  uint32_t wqueue;
  uint32_t shutdown;
  uint32_t state;
  /* Of the file that it is bound to, the last 32 bits of the inode number; 0 where there is none. */
  uint32_t file;
};

/* What ss(8) shows of the Unix socket with this inode. */
int unix_diag(uint32_t inode, struct unix_figures *figures);

struct inet_question {
  struct nlmsghdr header;
  struct inet_diag_req_v2 inet;
};

/* The protocol's socket by its name, as what a client sends would find it; the cookie says whether it is this one. 0 or -errno. */
int inet_question(int fd, uint8_t protocol, struct inet_question *question);

/* How a UDP socket was shut down, as bits: 1 for reading, 2 for writing. 0 or -errno. */
int udp_diag_shutdown(int fd, uint8_t *how);

/*
 * Keys of TCP_MD5SIG on a listener: what comes from the addresses that they are for has to be signed (RFC 2385), or is dropped. Both
 * answer how many there were; 0 without CAP_NET_ADMIN, from which alone the kernel does not hide them.
 */
int md5_count(int fd);
int md5_remove(int fd);

#endif
