#include "notify_queue.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Bytes that wait for the caller, of all sockets. */
#define BYTES_MAX (4u << 20)

void notify_ring(int eventfd)
{
  uint64_t one = 1;
  ssize_t written = write(eventfd, &one, sizeof one);
  (void)written;
}

void notify_quiet(int eventfd)
{
  uint64_t count;
  ssize_t taken = read(eventfd, &count, sizeof count);
  (void)taken;
}

bool notify_queue_open(struct notify_queue *queue)
{
  queue->last = &queue->first;
  queue->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return queue->wake >= 0;
}

void notify_queue_close(struct notify_queue *queue)
{
  while (queue->first)
    free(notify_queue_take(queue));
  if (queue->wake >= 0)
    close(queue->wake);
}

bool notify_queue_full(const struct notify_queue *queue)
{
  return queue->bytes >= BYTES_MAX;
}

void notify_queue_put(struct notify_queue *queue, struct notify_message *message)
{
  if (!queue->first)
    notify_ring(queue->wake);
  *queue->last = message;
  queue->last = &message->next;
  queue->bytes += message->length;
}

struct notify_message *notify_queue_take(struct notify_queue *queue)
{
  struct notify_message *message = queue->first;
  if (!message)
    return NULL;
  queue->first = message->next;
  queue->bytes -= message->length;
  if (!queue->first) {
    queue->last = &queue->first;
    notify_quiet(queue->wake);
  }
  return message;
}

void notify_queue_forget(struct notify_queue *queue, int fd)
{
  struct notify_message **link = &queue->first;
  while (*link) {
    struct notify_message *message = *link;
    if (message->fd != fd) {
      link = &message->next;
      continue;
    }
    *link = message->next;
    queue->bytes -= message->length;
    free(message);
  }
  queue->last = link;
  if (!queue->first)
    notify_quiet(queue->wake);
}
