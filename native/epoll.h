#ifndef FD_BROKER_EPOLL_H
#define FD_BROKER_EPOLL_H

#include <stddef.h>
#include <stdint.h>

/* Each returns >= 0, or -errno. */
int epoll_open(void);
/* Without waiting: how many are ready, and the lower halves of their data. */
int epoll_take(int epoll, int32_t *data, size_t count);

#endif
