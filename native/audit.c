#include "audit.h"
#include "diag.h"
#include "passing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

/* Each answers below 0 where it cannot tell; errno says why, and is 0 where there is nothing to tell. */
static int32_t nonblock(int fd)
{
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : (flags & O_NONBLOCK) != 0;
}

static int32_t hangup(int fd)
{
  struct pollfd one = {.fd = fd, .events = POLLRDHUP};
  return poll(&one, 1, 0) < 0 ? -1 : one.revents & (POLLHUP | POLLRDHUP);
}

/* On a listener these fields are the accept queue and its limit (net/ipv4/tcp.c, tcp_get_info). */
static int32_t tcp_backlog(int fd)
{
  struct tcp_info info;
  socklen_t length = sizeof info;
  memset(&info, 0, sizeof info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 || info.tcpi_state != TCP_LISTEN)
    return -1;
  return (int32_t)info.tcpi_sacked;
}

static int figures_of(int fd, struct unix_figures *figures)
{
  struct stat stat;
  return fstat(fd, &stat) < 0 ? -errno : unix_diag((uint32_t)stat.st_ino, figures);
}

static int32_t unix_backlog(int fd)
{
  struct unix_figures figures;
  int status = figures_of(fd, &figures);
  if (status < 0)
    errno = -status;
  return status < 0 ? -1 : (int32_t)figures.wqueue;
}

/* poll(2) does not tell of SHUT_WR alone, which ends sending for all. */
static int32_t shut_or(int status, uint32_t how, int fd)
{
  if (status >= 0)
    return (int32_t)how;
  errno = -status;
  return is_passing(errno) ? -1 : hangup(fd);
}

static int32_t unix_shutdown(int fd)
{
  struct unix_figures figures;
  int status = figures_of(fd, &figures);
  return shut_or(status, figures.shutdown, fd);
}

static int32_t udp_shutdown(int fd)
{
  uint8_t how = 0;
  int status = udp_diag_shutdown(fd, &how);
  return shut_or(status, how, fd);
}

static int32_t connected(int fd)
{
  struct sockaddr_storage peer;
  socklen_t length = sizeof peer;
  if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
    return 1;
  return errno == ENOTCONN ? 0 : -1;
}

/* Asked with no room, the kernel tells the length of the program. */
static int32_t filter(int fd)
{
  socklen_t length = 0;
  return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &length) < 0 ? -errno : (int32_t)length;
}

/* What is not signed is dropped and counted, and nothing else tells of a key but a question that costs as much as all others together. */
static int32_t md5sig(int fd)
{
  uint32_t figures[SK_MEMINFO_VARS];
  socklen_t length = sizeof figures;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures, &length) < 0 || figures[SK_MEMINFO_DROPS] == 0)
    return 0;
  return md5_count(fd);
}

static int32_t fact(int fd, int32_t name)
{
  switch (name) {
  case AUDIT_NONBLOCK:
    return nonblock(fd);
  case AUDIT_HANGUP:
    return hangup(fd);
  case AUDIT_TCP_BACKLOG:
    return tcp_backlog(fd);
  case AUDIT_UNIX_BACKLOG:
    return unix_backlog(fd);
  case AUDIT_CONNECTED:
    return connected(fd);
  case AUDIT_FILTER:
    return filter(fd);
  case AUDIT_UDP_SHUTDOWN:
    return udp_shutdown(fd);
  case AUDIT_UNIX_SHUTDOWN:
    return unix_shutdown(fd);
  case AUDIT_MD5SIG:
    return md5sig(fd);
  default:
    return -EINVAL;
  }
}

/* What could not be asked is no answer: taken for one, it would be repaired. */
static int read_fact(int fd, int32_t name, uint8_t *value, size_t size)
{
  errno = 0;
  int32_t number = fact(fd, name);
  if (number < 0 && is_passing(errno))
    return -errno;
  memset(value, 0, size);
  memcpy(value, &number, size < sizeof number ? size : sizeof number);
  return 0;
}

static int read_row(int fd, const struct audit_row *row, uint8_t *value)
{
  size_t size = (size_t)row->size;
  if (row->level == AUDIT_FACT)
    return read_fact(fd, row->name, value, size);
  socklen_t length = (socklen_t)size;
  memset(value, 0xff, size);
  if (getsockopt(fd, row->level, row->name, value, &length) == 0)
    return 0;
  int status = is_passing(errno) ? -errno : 0;
  memset(value, 0xff, size);
  return status;
}

int audit_read(int fd, const struct audit_row *rows, size_t count, uint8_t *values, size_t length)
{
  size_t filled = 0;
  if (fcntl(fd, F_GETFD) < 0)
    return -errno;
  for (size_t i = 0; i < count; i++) {
    if (rows[i].size < 0 || (size_t)rows[i].size > length - filled)
      return -ENOBUFS;
    int status = read_row(fd, &rows[i], values + filled);
    if (status < 0)
      return status;
    filled += (size_t)rows[i].size;
  }
  return (int)filled;
}
