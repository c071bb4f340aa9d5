#include "watch.h"

#include <errno.h>
#include <sys/epoll.h>

enum { TAKEN_MOST = 64 };

int watch_open(void)
{
  int watch = epoll_create1(EPOLL_CLOEXEC);
  return watch < 0 ? -errno : watch;
}

/* Edge-triggered: each shutdown is told once, and a socket that stays shut does not wake us again and again. */
int watch_add(int watch, int fd)
{
  struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.fd = fd};
  return epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Before the descriptor is closed: others have the same open file description, and the watch would go on. */
int watch_remove(int watch, int fd)
{
  struct epoll_event event = {0};
  return epoll_ctl(watch, EPOLL_CTL_DEL, fd, &event) < 0 ? -errno : 0;
}

int watch_take(int watch, int32_t *fds, size_t most)
{
  struct epoll_event events[TAKEN_MOST];
  int count = epoll_wait(watch, events, most < TAKEN_MOST ? (int)most : TAKEN_MOST, 0);
  if (count < 0)
    return -errno;
  for (int i = 0; i < count; i++)
    fds[i] = events[i].data.fd;
  return count;
}
