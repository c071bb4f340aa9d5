#ifndef FD_BROKER_NOTIFY_QUEUE_H
#define FD_BROKER_NOTIFY_QUEUE_H

#include "notify.h"

#include <stdbool.h>

/* Messages on their way to the caller. Whoever calls has the lock. */
struct notify_queue {
  struct notify_message *first;
  struct notify_message **last;
  size_t bytes;
  int wake; /* an eventfd, readable while there is a message */
};

void notify_ring(int eventfd);
void notify_quiet(int eventfd);

bool notify_queue_open(struct notify_queue *queue);
void notify_queue_close(struct notify_queue *queue);
bool notify_queue_full(const struct notify_queue *queue);
void notify_queue_put(struct notify_queue *queue, struct notify_message *message);
struct notify_message *notify_queue_take(struct notify_queue *queue);
/* Drops the messages of one socket. */
void notify_queue_forget(struct notify_queue *queue, int fd);

#endif
