#ifndef FD_BROKER_SWAP_H
#define FD_BROKER_SWAP_H

#include <stddef.h>
#include <stdint.h>

/* Each returns >= 0, or -errno. */
int swap_dup_onto(int from, int to);
int swap_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t data);
int swap_attach_cbpf(int fd, int option, void *code, size_t length);

#endif
