/* A process of the broker's program: its start, what is sent to it, its end. */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LAST_SIGNAL 64

int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A process group of its own: what a terminal or `kill -- -PGID` sends reaches the keeper alone, which passes it on once. */
static _Noreturn void become(char **argv, int fd)
{
  char number[16];
  sigset_t none;
  setpgid(0, 0);
  snprintf(number, sizeof number, "%d", fd);
  if (fcntl(fd, F_SETFD, 0) == 0 && setenv("FD_BROKER_KEEPER", number, 1) == 0) {
    for (int signal = 1; signal <= LAST_SIGNAL; signal++) {
      struct sigaction action = {.sa_handler = SIG_DFL};
      sigaction(signal, &action, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], argv);
  }
  int status = errno == ENOENT || errno == ENOTDIR ? 127 : 126;
  say(argv[0], strerror(errno));
  _exit(status);
}

int child_spawn(struct child *child, char **argv, const struct hello *hello)
{
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return -errno;
  int status = wire_send(pair[0], OP_HELLO, hello, sizeof *hello, NULL, 0);
  pid_t pid = status < 0 ? -1 : fork();
  if (pid == 0)
    become(argv, pair[1]);
  status = pid < 0 && status == 0 ? -errno : status;
  close(pair[1]);
  if (status < 0) {
    close(pair[0]);
    return status;
  }
  *child = (struct child){.pid = pid, .fd = pair[0], .started = now_ms()};
  return 0;
}

void child_kill(struct child *child)
{
  if (child->pid > 0)
    kill(child->pid, SIGKILL);
}

int child_send_kept(struct child *child)
{
  while (child->getting) {
    struct entry *entry = child->cursor;
    int status = entry ? wire_send(child->fd, OP_KEPT, entry_key(entry), entry->key_length, entry->fds, entry->count)
                       : wire_send(child->fd, OP_END, NULL, 0, NULL, 0);
    /* Its queue, or the descriptors in flight of this user, are at their limit. */
    if (status == -EAGAIN || status == -ENOBUFS || status == -ETOOMANYREFS || status == -ENOMEM)
      return -EAGAIN;
    if (status < 0 || !entry)
      child->getting = false;
    child->cursor = entry ? entry->next : NULL;
  }
  return 0;
}

void child_follow(struct child *child, int op, const uint8_t *key, size_t length, const struct entry *entry)
{
  if (child->pid <= 0 || !child->following)
    return;
  if (wire_send(child->fd, op, key, length, entry ? entry->fds : NULL, entry ? entry->count : 0) < 0)
    child->following = false;
}

void child_describe(int status, char *text, size_t size)
{
  if (WIFSIGNALED(status))
    snprintf(text, size, "was ended by signal %d", WTERMSIG(status));
  else
    snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
}
