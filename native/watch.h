#ifndef FD_BROKER_WATCH_H
#define FD_BROKER_WATCH_H

#include <stddef.h>
#include <stdint.h>

struct watch;

struct watch_event {
  int32_t fd;
  int32_t reopened; /* 1: it was a TCP listener that had been shut, and listens again */
};

/*
 * A thread that hears of hang-ups, and of nothing else: a connection that comes, or is accepted, wakes nobody. A TCP listener that
 * hung up listens again before anybody else hears of it, however busy the event loop is. Each returns >= 0, or -errno.
 */
int watch_start(struct watch **watch);
/* Readable while there are events to take. */
int watch_wake_fd(const struct watch *watch);
/* `backlog` below 0: it is only told. */
int watch_add(struct watch *watch, int fd, int backlog);
/* Before the descriptor is closed: others have the same open file description, and the watch would go on. */
int watch_remove(struct watch *watch, int fd);
/* Without waiting; answers how many. */
int watch_take(struct watch *watch, struct watch_event *events, size_t most);
void watch_stop(struct watch *watch);

#endif
