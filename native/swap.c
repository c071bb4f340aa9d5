#include "swap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int result(int value)
{
  return value < 0 ? -errno : value;
}

/* `to` names what `from` names, from one moment to the next: no other thread can be given the number in between. */
int swap_dup_onto(int from, int to)
{
  return result(dup3(from, to, O_CLOEXEC));
}

int swap_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t data)
{
  struct epoll_event event = {.events = events, .data.u64 = data};
  return result(epoll_ctl(epoll, operation, fd, &event));
}

/* `code` is an array of struct sock_filter; `option` says where the program runs. */
int swap_attach_cbpf(int fd, int option, void *code, size_t length)
{
  struct sock_fprog program = {.len = (unsigned short)(length / sizeof(struct sock_filter)), .filter = code};
  return result(setsockopt(fd, SOL_SOCKET, option, &program, sizeof program));
}
