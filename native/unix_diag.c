#include "sock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <unistd.h>

struct request {
  struct nlmsghdr header;
  struct unix_diag_req unix_;
};

static void read_attributes(const struct nlmsghdr *header, struct unix_figures *figures)
{
  const struct unix_diag_msg *message = NLMSG_DATA(header);
  int left = (int)NLMSG_PAYLOAD(header, sizeof *message);
  figures->state = message->udiag_state;
  for (struct rtattr *part = (struct rtattr *)(message + 1); RTA_OK(part, left); part = RTA_NEXT(part, left)) {
    if (part->rta_type == UNIX_DIAG_RQLEN && RTA_PAYLOAD(part) >= sizeof(struct unix_diag_rqlen)) {
      struct unix_diag_rqlen queues;
      memcpy(&queues, RTA_DATA(part), sizeof queues);
      figures->rqueue = queues.udiag_rqueue;
      figures->wqueue = queues.udiag_wqueue;
    } else if (part->rta_type == UNIX_DIAG_SHUTDOWN && RTA_PAYLOAD(part) >= 1) {
      figures->shutdown = *(const uint8_t *)RTA_DATA(part);
    }
  }
}

static int ask(int netlink, uint32_t inode, struct unix_figures *figures)
{
  struct request request = {
    .header = {.nlmsg_len = sizeof request, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
    .unix_ = {.sdiag_family = AF_UNIX,
              .udiag_states = ~0U,
              .udiag_ino = inode,
              .udiag_show = UDIAG_SHOW_RQLEN,
              .udiag_cookie = {~0U, ~0U}},
  };
  union {
    char bytes[2048];
    struct nlmsghdr header;
  } answer;

  if (send(netlink, &request, sizeof request, MSG_NOSIGNAL) < 0)
    return -errno;
  /* The kernel answers within the send, so an answer that is not there never comes. */
  ssize_t length = recv(netlink, &answer, sizeof answer, MSG_DONTWAIT);
  if (length < 0)
    return -errno;
  if (!NLMSG_OK(&answer.header, (size_t)length))
    return -EBADMSG;
  if (answer.header.nlmsg_type == NLMSG_ERROR)
    return ((const struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
  if (answer.header.nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
    return -EBADMSG;
  read_attributes(&answer.header, figures);
  return 0;
}

int unix_diag(uint32_t inode, struct unix_figures *figures)
{
  memset(figures, 0, sizeof *figures);
  int netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
  if (netlink < 0)
    return -errno;
  int status = ask(netlink, inode, figures);
  close(netlink);
  return status;
}
