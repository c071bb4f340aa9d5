#include "diag.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

int inet_question(int fd, uint8_t protocol, struct inet_question *question)
{
  union {
    struct sockaddr_storage storage;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } name;
  struct inet_diag_sockid *id = &question->inet.id;
  socklen_t length = sizeof name, size = sizeof id->idiag_if, cookie = sizeof id->idiag_cookie;
  memset(question, 0, sizeof *question);
  if (getsockname(fd, (struct sockaddr *)&name, &length) < 0 ||
      getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &id->idiag_if, &size) < 0 ||
      getsockopt(fd, SOL_SOCKET, SO_COOKIE, id->idiag_cookie, &cookie) < 0)
    return -errno;
  question->inet.sdiag_family = (uint8_t)name.storage.ss_family;
  question->inet.sdiag_protocol = protocol;
  /* Of UDP the kernel takes the two names the other way round (net/ipv4/udp_diag.c, udp_dump_one). */
  __be32 *address = protocol == IPPROTO_UDP ? id->idiag_dst : id->idiag_src;
  __be16 *port = protocol == IPPROTO_UDP ? &id->idiag_dport : &id->idiag_sport;
  if (name.storage.ss_family == AF_INET) {
    *port = name.in.sin_port;
    memcpy(address, &name.in.sin_addr, sizeof name.in.sin_addr);
  } else {
    *port = name.in6.sin6_port;
    memcpy(address, &name.in6.sin6_addr, sizeof name.in6.sin6_addr);
  }
  return 0;
}

int udp_diag_shutdown(int fd, uint8_t *how)
{
  struct inet_question question;
  union {
    char bytes[1024];
    struct nlmsghdr header;
  } answer;
  int status = inet_question(fd, IPPROTO_UDP, &question);
  question.inet.idiag_states = ~0U;
  if (status == 0)
    status = diag_ask(&question, sizeof question, &answer, sizeof answer, sizeof(struct inet_diag_msg));
  if (status < 0)
    return status;
  const struct inet_diag_msg *message = NLMSG_DATA(&answer.header);
  int left = (int)NLMSG_PAYLOAD(&answer.header, sizeof *message);
  for (const struct rtattr *part = (const struct rtattr *)(message + 1); RTA_OK(part, left); part = RTA_NEXT(part, left)) {
    if (part->rta_type != INET_DIAG_SHUTDOWN || RTA_PAYLOAD(part) < 1)
      continue;
    *how = *(const uint8_t *)RTA_DATA(part);
    return 0;
  }
  return -ENODATA;
}
