/* getsockopt(2) does not tell the keys; inet_diag does, of the listener that an address finds (net/ipv4/tcp_diag.c). */
#include "diag.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

/* A key takes 100 bytes. More of them than an attribute can hold are not told apart. */
enum { TCP_LISTEN_STATE = 10, ANSWER_MOST = 64 * 1024, MANY = 1000 };

static void remove_key(int fd, const struct tcp_diag_md5sig *key)
{
  struct tcp_md5sig option = {.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX, .tcpm_prefixlen = key->tcpm_prefixlen};
  struct sockaddr_in in = {.sin_family = AF_INET};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
  memcpy(&in.sin_addr, key->tcpm_addr, sizeof in.sin_addr);
  memcpy(&in6.sin6_addr, key->tcpm_addr, sizeof in6.sin6_addr);
  if (key->tcpm_family == AF_INET)
    memcpy(&option.tcpm_addr, &in, sizeof in);
  else
    memcpy(&option.tcpm_addr, &in6, sizeof in6);
  setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &option, sizeof option);
}

static int take_keys(int fd, const struct rtattr *part, bool removing)
{
  size_t count = RTA_PAYLOAD(part) / sizeof(struct tcp_diag_md5sig);
  for (size_t i = 0; i < count && removing; i++) {
    struct tcp_diag_md5sig key;
    memcpy(&key, (const char *)RTA_DATA(part) + i * sizeof key, sizeof key);
    remove_key(fd, &key);
  }
  return (int)count;
}

static int find_keys(int fd, bool removing)
{
  struct inet_question question;
  union {
    char bytes[ANSWER_MOST];
    struct nlmsghdr header;
  } answer;
  int status = inet_question(fd, IPPROTO_TCP, &question);
  question.inet.idiag_states = 1U << TCP_LISTEN_STATE;
  /* The kernel looks at what an answer may hold before it tells the keys. */
  question.inet.idiag_ext = 1U << (INET_DIAG_INFO - 1);
  if (status == 0)
    status = diag_ask(&question, sizeof question, &answer, sizeof answer, sizeof(struct inet_diag_msg));
  if (status < 0)
    return status == -EMSGSIZE ? MANY : 0;
  const struct inet_diag_msg *message = NLMSG_DATA(&answer.header);
  int left = (int)NLMSG_PAYLOAD(&answer.header, sizeof *message);
  for (const struct rtattr *part = (const struct rtattr *)(message + 1); RTA_OK(part, left); part = RTA_NEXT(part, left))
    if (part->rta_type == INET_DIAG_MD5SIG)
      return take_keys(fd, part, removing);
  return 0;
}

int md5_count(int fd)
{
  return find_keys(fd, false);
}

int md5_remove(int fd)
{
  return find_keys(fd, true);
}
