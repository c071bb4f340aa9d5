/* One packet in, one packet out. Every descriptor that came is in the packet, whatever else is wrong with it. */
#include "keeper.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
  char bytes[CMSG_SPACE(FDS_MAX * sizeof(int)) + 64];
  struct cmsghdr align;
};

static void take_fds(struct packet *packet, const struct cmsghdr *header)
{
  size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  for (size_t i = 0; i < count; i++) {
    int fd;
    memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
    if (packet->count < FDS_MAX)
      packet->fds[packet->count++] = fd;
    else
      close(fd);
  }
}

/* Bytes, 0 at the end, or -errno. */
int wire_receive(int fd, struct packet *packet)
{
  union control control;
  struct iovec part = {.iov_base = packet->bytes, .iov_len = sizeof packet->bytes};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};

  packet->count = 0;
  ssize_t received = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0)
    return -errno;
  packet->length = (size_t)received;
  packet->truncated = (message.msg_flags & MSG_TRUNC) != 0;
  packet->fds_lost = (message.msg_flags & MSG_CTRUNC) != 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
      take_fds(packet, header);
  }
  return (int)received;
}

void wire_close_all(struct packet *packet)
{
  for (size_t i = 0; i < packet->count; i++)
    close(packet->fds[i]);
  packet->count = 0;
}

int wire_send(int fd, int op, const void *bytes, size_t length, const int *fds, size_t count)
{
  union control control;
  uint8_t first = (uint8_t)op;
  struct iovec parts[] = {{.iov_base = &first, .iov_len = 1}, {.iov_base = (void *)bytes, .iov_len = length}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

  if (count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  }
  return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
