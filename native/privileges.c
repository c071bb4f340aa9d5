/*
 * Capabilities, the bounding set and no_new_privs belong to a thread, and the C library changes only users and groups on all of them.
 * So every other thread is made to do it in a signal handler: by signal 32, which pthread_sigmask() never blocks (the C library keeps
 * it for thread cancellation, which Node.js does not use). Its old disposition is put back.
 */
#include "privileges.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREAD_SIGNAL 32
#define THREADS_MAX 1024
#define PATIENCE 2 /* seconds for one thread to take its signal */
#define KERNEL_SIGSET_SIZE (_NSIG / 8)

/* The kernel's struct sigaction, whose layout the C library hides; no architecture's is larger. */
struct kernel_sigaction {
  unsigned char bytes[152];
};

/* What the handler is to do. Static, since a handler is told nothing else; used by one thread, once, at the start. */
static struct {
  int (*act)(uint64_t keep);
  uint64_t keep;
  int status;
  sem_t done;
} order;

/* An empty bounding set takes nothing from this process: it bounds what a program that it would become may gain. */
static int prepare_thread(uint64_t keep)
{
  (void)keep;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && errno != EPERM)
      return -errno;
  return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int settle_thread(uint64_t keep)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
    {.effective = (uint32_t)keep, .permitted = (uint32_t)keep},
    {.effective = (uint32_t)(keep >> 32), .permitted = (uint32_t)(keep >> 32)},
  };
  if (syscall(SYS_capset, &header, data) < 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return -errno;
  return 0;
}

static void on_signal(int signal)
{
  int saved = errno;
  (void)signal;
  int status = order.act(order.keep);
  if (status < 0)
    order.status = status;
  sem_post(&order.done);
  errno = saved;
}

/* The C library refuses to touch signal 32, but fills the kernel's struct (with its restorer) for another. */
static int install(struct kernel_sigaction *before)
{
  struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, former;
  struct kernel_sigaction raw;
  int model = SIGRTMAX;
  sigfillset(&ours.sa_mask);
  if (sigaction(model, &ours, &former) < 0 ||
      syscall(SYS_rt_sigaction, model, NULL, &raw, KERNEL_SIGSET_SIZE) < 0 ||
      sigaction(model, &former, NULL) < 0 ||
      syscall(SYS_rt_sigaction, THREAD_SIGNAL, &raw, before, KERNEL_SIGSET_SIZE) < 0)
    return -errno;
  return 0;
}

static int order_thread(pid_t thread)
{
  struct timespec deadline;
  if (syscall(SYS_tgkill, getpid(), thread, THREAD_SIGNAL) < 0)
    return errno == ESRCH ? 0 : -errno;
  clock_gettime(CLOCK_REALTIME, &deadline);
  deadline.tv_sec += PATIENCE;
  while (sem_timedwait(&order.done, &deadline) < 0)
    if (errno != EINTR)
      return -errno;
  return 0;
}

static bool contains(const pid_t *threads, size_t count, pid_t thread)
{
  for (size_t i = 0; i < count; i++)
    if (threads[i] == thread)
      return true;
  return false;
}

/* Orders the threads that are not in `done` yet; answers how many those were, or -errno. */
static int order_others(pid_t *done, size_t *count)
{
  DIR *tasks = opendir("/proc/self/task");
  if (!tasks)
    return -errno;
  int status = 0, ordered = 0;
  struct dirent *entry;
  while (status == 0 && (entry = readdir(tasks))) {
    pid_t thread = (pid_t)atoi(entry->d_name);
    if (thread <= 0 || contains(done, *count, thread))
      continue;
    if (*count == THREADS_MAX) {
      status = -EOVERFLOW;
      break;
    }
    status = order_thread(thread);
    done[(*count)++] = thread;
    ordered++;
  }
  closedir(tasks);
  return status < 0 ? status : ordered;
}

/* A thread that begins meanwhile inherits from one that may not have been ordered yet: so until a round finds none. */
static int on_every_thread(int (*act)(uint64_t keep), uint64_t keep)
{
  struct kernel_sigaction before;
  pid_t done[THREADS_MAX];
  size_t count = 0;
  int status = act(keep), ordered;
  if (status < 0)
    return status;
  order.act = act;
  order.keep = keep;
  order.status = 0;
  if (sem_init(&order.done, 0, 0) < 0)
    return -errno;
  status = install(&before);
  if (status < 0)
    return status;
  done[count++] = (pid_t)syscall(SYS_gettid);
  do
    ordered = order_others(done, &count);
  while (ordered > 0);
  syscall(SYS_rt_sigaction, THREAD_SIGNAL, &before, NULL, KERNEL_SIGSET_SIZE);
  return ordered < 0 ? ordered : order.status;
}

int privileges_prepare(uint64_t keep)
{
  return on_every_thread(prepare_thread, keep);
}

int privileges_settle(uint64_t keep)
{
  return on_every_thread(settle_thread, keep);
}
