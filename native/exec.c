/*
 * Becomes another program, which finds all that execve(2) hands down as if a shell had started it. Node has ignored and handled
 * signals, raised a limit, marked 0 to 2 close-on-exec, and set O_NONBLOCK on what it shares with its parent.
 *
 * From the first descriptor that is put in place Node's own are overwritten: there is no way back from there but the end.
 */
#include "exec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define CLOSE_RANGE_CLOEXEC_FLAG 4u
#define LAST_SIGNAL 64

void exec_note_stdio(struct exec_stdio *stdio)
{
  memset(stdio, 0, sizeof *stdio);
  for (int fd = 0; fd < 3; fd++) {
    stdio->copies[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    stdio->flags[fd] = fcntl(fd, F_GETFL);
    stdio->terminal[fd] = tcgetattr(fd, &stdio->modes[fd]) == 0;
  }
}

static int is_in(uint64_t set, int number)
{
  return (set >> (number - 1) & 1) != 0;
}

/* SIGKILL, SIGSTOP and the two that the C library keeps for itself are refused, and need no reset. */
void exec_reset_signals(uint64_t ignored)
{
  for (int number = 1; number <= LAST_SIGNAL; number++) {
    struct sigaction action = {.sa_handler = is_in(ignored, number) ? SIG_IGN : SIG_DFL};
    sigaction(number, &action, NULL);
  }
}

static void block_all(void)
{
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
}

/* Signals that came meanwhile are delivered here, to the dispositions of the program. */
static void restore_mask(uint64_t blocked)
{
  sigset_t set;
  sigemptyset(&set);
  for (int number = 1; number <= LAST_SIGNAL; number++) {
    if (is_in(blocked, number))
      sigaddset(&set, number);
  }
  sigprocmask(SIG_SETMASK, &set, NULL);
}

static void restore_stdio(const struct exec_stdio *stdio)
{
  for (int fd = 0; fd < 3; fd++) {
    if (stdio->copies[fd] >= 0)
      dup2(stdio->copies[fd], fd);
    int flags = fcntl(fd, F_GETFL);
    if (stdio->flags[fd] >= 0 && flags >= 0 && (flags ^ stdio->flags[fd]) & O_NONBLOCK)
      fcntl(fd, F_SETFL, (flags & ~O_NONBLOCK) | (stdio->flags[fd] & O_NONBLOCK));
    struct termios modes;
    if (stdio->terminal[fd] && tcgetattr(fd, &modes) == 0 && memcmp(&modes, &stdio->modes[fd], sizeof modes) != 0)
      tcsetattr(fd, TCSANOW, &stdio->modes[fd]);
  }
}

static _Noreturn void fail(const char *what, int status)
{
  fprintf(stderr, "fd-broker: %s: %s\n", what, strerror(errno));
  _exit(status);
}

/* First out of the way of one another, since a number may be both one's source and another's target. */
static void place(const struct exec_plan *plan)
{
  int beyond = plan->first + (int)plan->count;
  int32_t *copies = calloc(plan->count + 1, sizeof *copies);
  if (!copies)
    fail("exec", 111);
  for (size_t i = 0; i < plan->count; i++) {
    copies[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, beyond < 3 ? 3 : beyond);
    if (copies[i] < 0)
      fail("a descriptor of the lease cannot be copied (see RLIMIT_NOFILE)", 111);
  }
  for (size_t i = 0; i < plan->count; i++) {
    if (dup2(copies[i], plan->first + (int)i) < 0)
      fail("a descriptor of the lease cannot be put in its place", 111);
  }
  free(copies);
}

/* Before Linux 5.11 close_range() cannot mark. */
static void mark_listed(int from)
{
  DIR *directory = opendir("/proc/self/fd");
  if (!directory)
    fail("/proc/self/fd", 111);
  for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
    int fd = atoi(entry->d_name);
    if (fd >= from)
      fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  closedir(directory);
}

static void keep_only(const struct exec_plan *plan)
{
  int end = plan->first + (int)plan->count;
  unsigned from = end < 3 ? 3 : (unsigned)end;
  for (int fd = 0; fd < 3; fd++) {
    int given = fd >= plan->first && fd < end;
    if (!given && plan->start.closed >> fd & 1)
      close(fd);
    else
      fcntl(fd, F_SETFD, 0);
  }
  if (syscall(SYS_close_range, from, ~0u, CLOSE_RANGE_CLOEXEC_FLAG) < 0)
    mark_listed((int)from);
}

static void restore_limit(uint64_t soft)
{
  struct rlimit limit;
  if (soft == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return;
  limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

_Noreturn void exec_replace(const struct exec_plan *plan)
{
  block_all();
  exec_reset_signals(plan->start.ignored);
  restore_stdio(plan->stdio);
  place(plan);
  keep_only(plan);
  restore_limit(plan->start.soft_limit);
  restore_mask(plan->start.blocked);
  execvp(plan->argv[0], plan->argv);
  fail(plan->argv[0], errno == ENOENT || errno == ENOTDIR ? 127 : 126);
}
