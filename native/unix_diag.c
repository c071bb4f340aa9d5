#include "diag.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>

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
    } else if (part->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(part) >= sizeof(struct unix_diag_vfs)) {
      struct unix_diag_vfs file;
      memcpy(&file, RTA_DATA(part), sizeof file);
      figures->file = file.udiag_vfs_ino;
    }
  }
}

int unix_diag(uint32_t inode, struct unix_figures *figures)
{
  struct request request = {
    .unix_ = {.sdiag_family = AF_UNIX,
              .udiag_states = ~0U,
              .udiag_ino = inode,
              .udiag_show = UDIAG_SHOW_RQLEN | UDIAG_SHOW_VFS,
              .udiag_cookie = {~0U, ~0U}},
  };
  union {
    char bytes[2048];
    struct nlmsghdr header;
  } answer;
  memset(figures, 0, sizeof *figures);
  int status = diag_ask(&request, sizeof request, &answer, sizeof answer, sizeof(struct unix_diag_msg));
  if (status < 0)
    return status;
  read_attributes(&answer.header, figures);
  return 0;
}
