/*
 * Receives the datagrams of notify sockets on a thread of its own. A datagram can bring descriptors, and letting go of one can
 * block for as long as its sender likes (a TCP socket with SO_LINGER and unsent data): in recvmsg(), and in the close() of a
 * socket that still has it queued. Both are done by the thread and by nobody else.
 *
 * There is room for the credentials of a message and for nothing more, so no descriptor ever enters the table: the kernel
 * drops them all (MSG_CTRUNC), which is what sd_notify's BARRIER=1 waits for.
 *
 * The caller and the thread each have one reference. The thread may be stuck when the caller is done, so nobody joins it.
 */
#include "notify.h"
#include "notify_queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Messages of one socket that wait for the caller: who floods loses its own messages, not those of others. */
#define QUEUED_MAX 64
#define STACK_SIZE (128u << 10)
#define EVENTS 32

struct source {
  struct source *next;
  int fd;
  unsigned queued;
  bool leaving;
};

struct notify {
  pthread_mutex_t lock;
  int references;
  int epoll;
  int orders;
  bool stopping;
  bool held;
  bool receiving; /* a message that is out of its socket and not in the queue yet */
  struct source **sources; /* by descriptor */
  size_t room;
  struct source *leaving;
  struct notify_queue queue;
  uint64_t dropped;
};

static void release(struct notify *notify)
{
  pthread_mutex_lock(&notify->lock);
  bool last = --notify->references == 0;
  pthread_mutex_unlock(&notify->lock);
  if (!last)
    return;
  notify_queue_close(&notify->queue);
  if (notify->epoll >= 0)
    close(notify->epoll);
  if (notify->orders >= 0)
    close(notify->orders);
  pthread_mutex_destroy(&notify->lock);
  free(notify->sources);
  free(notify);
}

static struct notify_message *make_message(int fd, const struct msghdr *header, const char *text, size_t length)
{
  struct cmsghdr *control = CMSG_FIRSTHDR(header);
  struct ucred sender;
  if (header->msg_flags & MSG_TRUNC || !control || control->cmsg_level != SOL_SOCKET ||
      control->cmsg_type != SCM_CREDENTIALS || control->cmsg_len < CMSG_LEN(sizeof sender))
    return NULL;
  struct notify_message *message = malloc(sizeof *message + length);
  if (!message)
    return NULL;
  memcpy(&sender, CMSG_DATA(control), sizeof sender);
  *message = (struct notify_message){
    .fd = fd, .pid = sender.pid, .uid = sender.uid, .gid = sender.gid, .length = length};
  memcpy(message->text, text, length);
  return message;
}

static bool begin(struct notify *notify)
{
  pthread_mutex_lock(&notify->lock);
  bool may = notify->receiving = !notify->held;
  pthread_mutex_unlock(&notify->lock);
  return may;
}

static void deliver(struct notify *notify, struct source *source, struct notify_message *message)
{
  bool full = source->queued >= QUEUED_MAX || notify_queue_full(&notify->queue);
  if (!message || full || source->leaving) {
    notify->dropped += !source->leaving;
    free(message);
  } else {
    notify_queue_put(&notify->queue, message);
    source->queued++;
  }
}

/* One message of a socket a turn, so that a flood on one keeps no other waiting. */
static void receive(struct notify *notify, struct source *source)
{
  char text[NOTIFY_DATAGRAM_MAX];
  union {
    char bytes[CMSG_SPACE(sizeof(struct ucred))];
    struct cmsghdr align;
  } control;
  struct iovec part = {.iov_base = text, .iov_len = sizeof text};
  struct msghdr header = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  if (!begin(notify))
    return;
  ssize_t length = recvmsg(source->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC | MSG_NOSIGNAL);
  struct notify_message *message = length < 0 ? NULL : make_message(source->fd, &header, text, (size_t)length);
  pthread_mutex_lock(&notify->lock);
  notify->receiving = false;
  if (length >= 0)
    deliver(notify, source, message);
  pthread_mutex_unlock(&notify->lock);
}

static void close_sources(struct source *source)
{
  while (source) {
    struct source *next = source->next;
    close(source->fd);
    free(source);
    source = next;
  }
}

/* Closes what was removed, and all that is left when it is over. Only between turns: no event points to a freed source. */
static bool obey(struct notify *notify)
{
  pthread_mutex_lock(&notify->lock);
  struct source *leaving = notify->leaving;
  notify->leaving = NULL;
  bool stopping = notify->stopping;
  for (size_t fd = 0; stopping && fd < notify->room; fd++) {
    if (!notify->sources[fd])
      continue;
    notify->sources[fd]->next = leaving;
    leaving = notify->sources[fd];
    notify->sources[fd] = NULL;
  }
  pthread_mutex_unlock(&notify->lock);
  close_sources(leaving);
  return !stopping;
}

/* While it is held, sockets stay readable: only an order ends the wait then. */
static int wait_for_events(struct notify *notify, struct epoll_event *events)
{
  pthread_mutex_lock(&notify->lock);
  bool held = notify->held;
  pthread_mutex_unlock(&notify->lock);
  if (!held)
    return epoll_wait(notify->epoll, events, EVENTS, -1);
  struct pollfd orders = {.fd = notify->orders, .events = POLLIN};
  if (poll(&orders, 1, -1) > 0)
    notify_quiet(notify->orders);
  return 0;
}

static void *run(void *data)
{
  struct notify *notify = data;
  struct epoll_event events[EVENTS];
  do {
    int count = wait_for_events(notify, events);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr)
        receive(notify, events[i].data.ptr);
      else
        notify_quiet(notify->orders);
    }
  } while (obey(notify));
  release(notify);
  return NULL;
}

/* Node's signals are for its main thread. */
static int start_thread(struct notify *notify)
{
  sigset_t all, before;
  pthread_t thread;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
    return -ENOMEM;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int status = pthread_create(&thread, &attributes, run, notify);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return -status;
}

int notify_start(struct notify **out)
{
  struct notify *notify = calloc(1, sizeof *notify);
  if (!notify)
    return -ENOMEM;
  pthread_mutex_init(&notify->lock, NULL);
  notify->references = 2;
  bool opened = notify_queue_open(&notify->queue);
  notify->epoll = epoll_create1(EPOLL_CLOEXEC);
  notify->orders = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN};
  int status = 0;
  if (!opened || notify->epoll < 0 || notify->orders < 0 ||
      epoll_ctl(notify->epoll, EPOLL_CTL_ADD, notify->orders, &event) < 0)
    status = -errno;
  if (status == 0)
    status = start_thread(notify);
  if (status < 0) {
    notify->references = 1;
    release(notify);
    return status;
  }
  *out = notify;
  return 0;
}

int notify_wake_fd(const struct notify *notify)
{
  return notify->queue.wake;
}

static bool make_room(struct notify *notify, size_t fd)
{
  if (fd < notify->room)
    return true;
  size_t room = (fd + 1) * 2;
  struct source **sources = realloc(notify->sources, room * sizeof *sources);
  if (!sources)
    return false;
  memset(sources + notify->room, 0, (room - notify->room) * sizeof *sources);
  notify->sources = sources;
  notify->room = room;
  return true;
}

int notify_add(struct notify *notify, int fd)
{
  struct source *source = calloc(1, sizeof *source);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
  int status = 0;
  if (!source)
    return -ENOMEM;
  source->fd = fd;
  pthread_mutex_lock(&notify->lock);
  if (!make_room(notify, (size_t)fd))
    status = -ENOMEM;
  else if (epoll_ctl(notify->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
    status = -errno;
  else
    notify->sources[fd] = source;
  pthread_mutex_unlock(&notify->lock);
  if (status < 0)
    free(source);
  return status;
}

int notify_remove(struct notify *notify, int fd)
{
  int status = -ENOENT;
  pthread_mutex_lock(&notify->lock);
  if (fd >= 0 && (size_t)fd < notify->room && notify->sources[fd]) {
    struct source *source = notify->sources[fd];
    notify->sources[fd] = NULL;
    source->leaving = true;
    source->next = notify->leaving;
    notify->leaving = source;
    epoll_ctl(notify->epoll, EPOLL_CTL_DEL, fd, NULL);
    notify_queue_forget(&notify->queue, fd);
    notify_ring(notify->orders);
    status = 0;
  }
  pthread_mutex_unlock(&notify->lock);
  return status;
}

struct notify_message *notify_take(struct notify *notify)
{
  pthread_mutex_lock(&notify->lock);
  struct notify_message *message = notify_queue_take(&notify->queue);
  if (message && notify->sources[message->fd])
    notify->sources[message->fd]->queued--;
  pthread_mutex_unlock(&notify->lock);
  return message;
}

bool notify_hold(struct notify *notify, bool held)
{
  pthread_mutex_lock(&notify->lock);
  if (notify->held != held)
    notify_ring(notify->orders);
  notify->held = held;
  bool rests = !notify->receiving;
  pthread_mutex_unlock(&notify->lock);
  return rests;
}

uint64_t notify_dropped(struct notify *notify)
{
  pthread_mutex_lock(&notify->lock);
  uint64_t dropped = notify->dropped;
  pthread_mutex_unlock(&notify->lock);
  return dropped;
}

void notify_stop(struct notify *notify)
{
  pthread_mutex_lock(&notify->lock);
  notify->stopping = true;
  notify_ring(notify->orders);
  pthread_mutex_unlock(&notify->lock);
  release(notify);
}
