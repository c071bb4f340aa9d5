#include "diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(int netlink, const void *request, size_t length, void *answer, size_t most, size_t least)
{
  if (send(netlink, request, length, MSG_NOSIGNAL) < 0)
    return -errno;
  /* The kernel answers within the send, so an answer that is not there never comes. */
  ssize_t received = recv(netlink, answer, most, MSG_DONTWAIT | MSG_TRUNC);
  if (received < 0)
    return -errno;
  if ((size_t)received > most)
    return -EMSGSIZE;
  const struct nlmsghdr *header = answer;
  if (!NLMSG_OK(header, (size_t)received))
    return -EBADMSG;
  if (header->nlmsg_type == NLMSG_ERROR)
    return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
  return header->nlmsg_len < NLMSG_LENGTH(least) ? -EBADMSG : (int)received;
}

int diag_ask(void *request, size_t length, void *answer, size_t most, size_t least)
{
  struct nlmsghdr *header = request;
  *header = (struct nlmsghdr){.nlmsg_len = (uint32_t)length, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST};
  int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0)
    return -errno;
  int status = ask(netlink, request, length, answer, most, least);
  close(netlink);
  return status;
}
