#ifndef FD_BROKER_SCM_H
#define FD_BROKER_SCM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The kernel passes at most this many descriptors in one message (SCM_MAX_FD, net/scm.h). */
#define SCM_FDS_MAX 253

enum { SCM_TRUNCATED = 1, SCM_CONTROL_TRUNCATED = 2, SCM_HAS_CREDENTIALS = 4 };

struct scm_meta {
  int32_t flags;
  int32_t nfds;
  int32_t pid;
  int32_t uid;
  int32_t gid;
  int32_t fds[SCM_FDS_MAX];
};

/*
 * 0 when each descriptor is the socket that has this SO_COOKIE, else -ESTALE: a number that was closed and given again names what
 * was never meant for the receiver. Another error where that could not be asked.
 */
int scm_check(const int32_t *fds, const uint64_t *cookies, size_t count);

/* Each returns the number of bytes, or -errno. */
int scm_recv(int fd, void *bytes, size_t length, struct scm_meta *meta);
int scm_send(int fd, const void *bytes, size_t length, const int32_t *fds, size_t nfds,
             const struct sockaddr *to, socklen_t to_length);

#endif
