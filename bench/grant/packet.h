/* One SEQPACKET connection, and one packet with at most one descriptor that matters. */
#ifndef PACKET_H
#define PACKET_H

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "measure.h"

static inline int packet_connect(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
    fail("connect");
  return fd;
}

/* Answers the bytes received; *fd is the first descriptor that came, or -1. */
static inline ssize_t packet_receive(int socket, void *bytes, size_t size, int *fd)
{
  union {
    char bytes[CMSG_SPACE(sizeof(int) * 4)];
    struct cmsghdr align;
  } control;
  struct iovec part = {bytes, size};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  *fd = -1;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
      memcpy(fd, CMSG_DATA(header), sizeof *fd);
  }
  return length;
}

#endif
