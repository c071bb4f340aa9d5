#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TAKEN_MOST = 64, STACK_SIZE = 64 * 1024, STOP = -1, NICE = -10 };

struct slot {
  int fd; /* -1: free */
  int backlog;
};

/* The lock is held while a slot's descriptor is used, so that it is not closed, and its number given again, meanwhile. */
struct watch {
  int epoll;
  int stop;
  int told[2];
  pthread_t thread;
  pthread_mutex_t lock;
  struct slot *slots;
  size_t count;
};

/* A listener that lost SO_REUSEPORT could not listen beside its anchor. */
static bool reopen(const struct slot *slot)
{
  int on = 1, listening = 1;
  socklen_t length = sizeof listening;
  if (slot->backlog < 0 || getsockopt(slot->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || listening)
    return false;
  setsockopt(slot->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  return listen(slot->fd, slot->backlog) == 0;
}

/* When nobody takes events any more the pipe is full; the audit of every second sees what is left to see. */
static void handle(struct watch *watch, int64_t index)
{
  pthread_mutex_lock(&watch->lock);
  struct slot *slot = &watch->slots[index];
  if (slot->fd >= 0) {
    struct watch_event event = {.fd = slot->fd, .reopened = reopen(slot)};
    ssize_t written = write(watch->told[1], &event, sizeof event);
    (void)written;
  }
  pthread_mutex_unlock(&watch->lock);
}

/*
 * Each microsecond that a listener is shut refuses clients, and the holders that find it shut may keep all processors busy by asking
 * again. What this thread does is a few system calls for each shutdown. It needs CAP_SYS_NICE, and does without.
 */
static void be_first(void)
{
  const struct sched_param parameters = {.sched_priority = sched_get_priority_min(SCHED_RR)};
  if (pthread_setschedparam(pthread_self(), SCHED_RR, &parameters) != 0)
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
}

static void *run(void *data)
{
  struct watch *watch = data;
  struct epoll_event events[TAKEN_MOST];
  be_first();
  for (;;) {
    int count = epoll_wait(watch->epoll, events, TAKEN_MOST, -1);
    for (int i = 0; i < count; i++) {
      int64_t index = (int64_t)events[i].data.u64;
      if (index == STOP)
        return NULL;
      handle(watch, index);
    }
  }
}

/* Signals are for the event loop's thread. */
static int start_thread(struct watch *watch)
{
  sigset_t all, before;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
    return -ENOMEM;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int status = pthread_create(&watch->thread, &attributes, run, watch);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return -status;
}

static void free_watch(struct watch *watch)
{
  const int fds[] = {watch->epoll, watch->stop, watch->told[0], watch->told[1]};
  for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
    if (fds[i] >= 0)
      close(fds[i]);
  }
  pthread_mutex_destroy(&watch->lock);
  free(watch->slots);
  free(watch);
}

static int open_all(struct watch *watch)
{
  struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)STOP};
  if ((watch->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 || (watch->stop = eventfd(0, EFD_CLOEXEC)) < 0 ||
      pipe2(watch->told, O_CLOEXEC | O_NONBLOCK) < 0 || epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->stop, &event) < 0)
    return -errno;
  return 0;
}

int watch_start(struct watch **out)
{
  struct watch *watch = calloc(1, sizeof *watch);
  if (!watch)
    return -ENOMEM;
  watch->epoll = watch->stop = watch->told[0] = watch->told[1] = -1;
  pthread_mutex_init(&watch->lock, NULL);
  int status = open_all(watch);
  if (status == 0)
    status = start_thread(watch);
  if (status < 0)
    free_watch(watch);
  else
    *out = watch;
  return status;
}

int watch_wake_fd(const struct watch *watch)
{
  return watch->told[0];
}

static struct slot *slot_of(struct watch *watch, int fd)
{
  for (size_t i = 0; i < watch->count; i++) {
    if (watch->slots[i].fd == fd)
      return &watch->slots[i];
  }
  return NULL;
}

static struct slot *free_slot(struct watch *watch)
{
  struct slot *found = slot_of(watch, -1);
  if (found)
    return found;
  struct slot *grown = realloc(watch->slots, (watch->count + 1) * sizeof *grown);
  if (!grown)
    return NULL;
  watch->slots = grown;
  grown[watch->count].fd = -1;
  return &grown[watch->count++];
}

/* Edge-triggered: each shutdown is told once, and a socket that stays shut does not wake the thread again and again. */
static int add(struct watch *watch, int fd, int backlog)
{
  struct slot *slot = free_slot(watch);
  if (!slot)
    return -ENOMEM;
  struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.u64 = (uint64_t)(slot - watch->slots)};
  if (epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
    return -errno;
  *slot = (struct slot){.fd = fd, .backlog = backlog};
  return 0;
}

int watch_add(struct watch *watch, int fd, int backlog)
{
  pthread_mutex_lock(&watch->lock);
  int status = add(watch, fd, backlog);
  pthread_mutex_unlock(&watch->lock);
  return status;
}

int watch_remove(struct watch *watch, int fd)
{
  pthread_mutex_lock(&watch->lock);
  struct slot *slot = slot_of(watch, fd);
  int status = slot && epoll_ctl(watch->epoll, EPOLL_CTL_DEL, fd, &(struct epoll_event){0}) == 0 ? 0 : -ENOENT;
  if (slot)
    slot->fd = -1;
  pthread_mutex_unlock(&watch->lock);
  return status;
}

int watch_take(struct watch *watch, struct watch_event *events, size_t most)
{
  ssize_t length = read(watch->told[0], events, most * sizeof *events);
  if (length < 0)
    return errno == EAGAIN ? 0 : -errno;
  return (int)((size_t)length / sizeof *events);
}

void watch_stop(struct watch *watch)
{
  uint64_t one = 1;
  ssize_t written = write(watch->stop, &one, sizeof one);
  (void)written;
  pthread_join(watch->thread, NULL);
  free_watch(watch);
}
