#ifndef FD_BROKER_WATCH_H
#define FD_BROKER_WATCH_H

#include <stddef.h>
#include <stdint.h>

/* An epoll that tells only of hang-ups: a connection that comes, or is accepted, wakes nobody. Each returns >= 0, or -errno. */
int watch_open(void);
int watch_add(int watch, int fd);
int watch_remove(int watch, int fd);
/* The descriptors that hung up since the last call, without waiting. */
int watch_take(int watch, int32_t *fds, size_t most);

#endif
