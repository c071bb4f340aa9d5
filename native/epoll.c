#include "epoll.h"

#include <errno.h>
#include <sys/epoll.h>

enum { EVENTS_MOST = 64 };

int epoll_open(void)
{
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  return epoll < 0 ? -errno : epoll;
}

int epoll_take(int epoll, int32_t *data, size_t count)
{
  struct epoll_event events[EVENTS_MOST];
  int ready = epoll_wait(epoll, events, (int)(count < EVENTS_MOST ? count : EVENTS_MOST), 0);
  for (int i = 0; i < ready; i++)
    data[i] = (int32_t)events[i].data.u64;
  return ready < 0 ? -errno : ready;
}
