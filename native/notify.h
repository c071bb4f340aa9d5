#ifndef FD_BROKER_NOTIFY_H
#define FD_BROKER_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As systemd's manager: a longer datagram is cut by the kernel, and dropped here. */
#define NOTIFY_DATAGRAM_MAX 4096

struct notify;

struct notify_message {
  struct notify_message *next;
  int fd;
  int32_t pid;
  uint32_t uid;
  uint32_t gid;
  size_t length;
  char text[];
};

/* Starts a thread. Returns 0, or -errno. */
int notify_start(struct notify **notify);
/* Readable while there are messages. Belongs to the receiver. */
int notify_wake_fd(const struct notify *notify);
/* Owns `fd`, a bound datagram socket with SO_PASSCRED, from now on, unless it fails with -errno. */
int notify_add(struct notify *notify, int fd);
/* The thread closes it; no message of it is given out any more. */
int notify_remove(struct notify *notify, int fd);
/* The oldest message, the caller's to free, or NULL. */
struct notify_message *notify_take(struct notify *notify);
/*
 * While held, what comes stays in its socket. False as long as a message is on its way out of a socket: until then another call may
 * be followed by that one.
 */
bool notify_hold(struct notify *notify, bool held);
uint64_t notify_dropped(struct notify *notify);
/* Returns at once; the thread closes what is left, and ends. `notify` is gone for the caller. */
void notify_stop(struct notify *notify);

#endif
