#include "scm.h"
#include "passing.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

/* Room for 253 descriptors and a ucred, and for a pidfd, a security label and a timestamp that an option may add. */
#define CONTROL_SIZE 4096

/* Bytes of a control message's data that are really there, whatever its own length says. */
static size_t data_length(const struct msghdr *message, const struct cmsghdr *header)
{
  size_t room = (size_t)((const char *)message->msg_control + message->msg_controllen - (const char *)header);
  size_t length = header->cmsg_len < room ? header->cmsg_len : room;
  return length < CMSG_LEN(0) ? 0 : length - CMSG_LEN(0);
}

static void take_fds(struct scm_meta *meta, const struct cmsghdr *header, size_t length)
{
  size_t count = length / sizeof(int);
  for (size_t i = 0; i < count; i++) {
    int fd;
    memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
    if (header->cmsg_type == SCM_RIGHTS && meta->nfds < SCM_FDS_MAX)
      meta->fds[meta->nfds++] = fd;
    else
      close(fd);
  }
}

static void take_credentials(struct scm_meta *meta, const struct cmsghdr *header, size_t length)
{
  struct ucred credentials;
  if (length < sizeof credentials)
    return;
  memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
  meta->flags |= SCM_HAS_CREDENTIALS;
  meta->pid = credentials.pid;
  meta->uid = (int32_t)credentials.uid;
  meta->gid = (int32_t)credentials.gid;
}

int scm_recv(int fd, void *bytes, size_t length, struct scm_meta *meta)
{
  union {
    char bytes[CONTROL_SIZE];
    struct cmsghdr align;
  } control;
  struct iovec part = {.iov_base = bytes, .iov_len = length};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};

  memset(meta, 0, offsetof(struct scm_meta, fds));
  ssize_t received = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_NOSIGNAL);
  if (received < 0)
    return -errno;

  if (message.msg_flags & MSG_TRUNC)
    meta->flags |= SCM_TRUNCATED;
  if (message.msg_flags & MSG_CTRUNC)
    meta->flags |= SCM_CONTROL_TRUNCATED;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET)
      continue;
    if (header->cmsg_type == SCM_RIGHTS || header->cmsg_type == SCM_PIDFD)
      take_fds(meta, header, data_length(&message, header));
    else if (header->cmsg_type == SCM_CREDENTIALS)
      take_credentials(meta, header, data_length(&message, header));
  }
  return (int)received;
}

int scm_check(const int32_t *fds, const uint64_t *cookies, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    uint64_t cookie;
    socklen_t length = sizeof cookie;
    if (getsockopt(fds[i], SOL_SOCKET, SO_COOKIE, &cookie, &length) < 0)
      return is_passing(errno) ? -errno : -ESTALE;
    if (cookie != cookies[i])
      return -ESTALE;
  }
  return 0;
}

int scm_send(int fd, const void *bytes, size_t length, const int32_t *fds, size_t nfds,
             const struct sockaddr *to, socklen_t to_length)
{
  /* One more than the kernel takes, so that the kernel and not this file refuses the 254th (EINVAL). */
  union {
    char bytes[CMSG_SPACE((SCM_FDS_MAX + 1) * sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_name = (void *)to, .msg_namelen = to_length};

  if (nfds > SCM_FDS_MAX + 1)
    return -EINVAL;
  if (nfds > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(nfds * sizeof(int));
    memcpy(CMSG_DATA(header), fds, nfds * sizeof(int));
  }
  ssize_t sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent < 0 ? -errno : (int)sent;
}
