/*
 * The least that a standby can wait: kill -9 of a process, a watcher in C that does nothing else, and a standby in C that
 * receives a descriptor from it. One line per kill: WATCHED, then the microseconds from the kill until the watcher knew,
 * until the standby had the descriptor, and until the kernel had ended the process.
 * usage: kill_floor ROUNDS WATCHED[,WATCHED…] PROGRAM [ARGUMENT…]
 * WATCHED: how many of its threads are watched beside the process; 0: the process alone. PROGRAM writes a byte when it runs.
 */
#define _GNU_SOURCE
#include "../grant/packet.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

enum { SETTLE_US = 30000, WATCHED_MOST = 256 };

static int64_t now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void tell(int to)
{
  int64_t at = now();
  if (write(to, &at, sizeof at) != sizeof at)
    err(1, "write");
}

static int64_t heard(int from)
{
  int64_t at;
  if (read(from, &at, sizeof at) != sizeof at)
    err(1, "a process of the measurement ended early");
  return at;
}

static void watch(int epoll, pid_t id, unsigned flags)
{
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = (int)flags};
  int fd = (int)syscall(SYS_pidfd_open, id, flags);
  if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
    err(1, "pidfd_open of %d", id);
}

static void watch_threads(int epoll, pid_t pid, int most)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  for (struct dirent *entry; most > 0 && (entry = readdir(tasks));) {
    pid_t id = atoi(entry->d_name);
    if (id > 0 && id != pid) {
      watch(epoll, id, O_EXCL);
      most--;
    }
  }
  closedir(tasks);
}

static bool is_killed(int status)
{
  char text[4096];
  ssize_t length = pread(status, text, sizeof text - 1, 0);
  if (length < 0)
    return true;
  text[length] = '\0';
  const char *pending = strstr(text, "\nShdPnd:\t");
  return pending && (strtoull(pending + 9, NULL, 16) & (1ULL << (SIGKILL - 1)));
}

static void send_descriptor(int to, int fd)
{
  char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(to, &message, MSG_NOSIGNAL) < 0)
    err(1, "sendmsg");
}

static _Noreturn void be_watcher(pid_t victim, int watched, int told, int standby)
{
  char path[64];
  struct epoll_event event;
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/status", victim);
  int status = open(path, O_RDONLY | O_CLOEXEC);
  watch(epoll, victim, 0);
  watch_threads(epoll, victim, watched);
  tell(told);
  do {
    if (epoll_wait(epoll, &event, 1, -1) < 1)
      err(1, "epoll_wait");
  } while (event.data.fd != 0 && !is_killed(status));
  int64_t at = now();
  send_descriptor(standby, status);
  if (write(told, &at, sizeof at) < 0)
    err(1, "write");
  _exit(0);
}

static _Noreturn void be_standby(int socket, int told)
{
  char bytes[16];
  int fd = -1;
  tell(told);
  if (packet_receive(socket, bytes, sizeof bytes, &fd) <= 0 || fd < 0)
    err(1, "the standby received nothing");
  tell(told);
  _exit(0);
}

static _Noreturn void be_witness(pid_t victim, int told)
{
  int fd = (int)syscall(SYS_pidfd_open, victim, 0);
  struct pollfd one = {.fd = fd, .events = POLLIN};
  tell(told);
  poll(&one, 1, -1);
  tell(told);
  _exit(0);
}

static pid_t start(char **program)
{
  int pipes[2];
  char byte;
  if (pipe2(pipes, O_CLOEXEC) < 0)
    err(1, "pipe");
  pid_t pid = fork();
  if (pid == 0) {
    dup2(pipes[1], STDOUT_FILENO);
    execvp(program[0], program);
    err(127, "%s", program[0]);
  }
  close(pipes[1]);
  if (read(pipes[0], &byte, 1) != 1)
    errx(1, "%s did not start", program[0]);
  close(pipes[0]);
  return pid;
}

static void kill_one(int watched, char **program)
{
  int told[3][2], pair[2];
  for (int i = 0; i < 3; i++)
    if (pipe(told[i]) < 0)
      err(1, "pipe");
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
    err(1, "socketpair");
  pid_t victim = start(program);
  if (fork() == 0)
    be_standby(pair[1], told[1][1]);
  if (fork() == 0)
    be_watcher(victim, watched, told[0][1], pair[0]);
  if (fork() == 0)
    be_witness(victim, told[2][1]);
  for (int i = 0; i < 3; i++)
    heard(told[i][0]);
  usleep(SETTLE_US);
  int64_t killed = now();
  kill(victim, SIGKILL);
  printf("%d", watched);
  for (int i = 0; i < 3; i++)
    printf(" %.1f", (double)(heard(told[i][0]) - killed) / 1000);
  printf("\n");
  while (wait(NULL) > 0)
    continue;
  for (int i = 0; i < 3; i++) {
    close(told[i][0]);
    close(told[i][1]);
  }
  close(pair[0]);
  close(pair[1]);
}

int main(int argc, char **argv)
{
  if (argc < 4)
    errx(100, "usage: kill_floor ROUNDS WATCHED[,WATCHED…] PROGRAM [ARGUMENT…]");
  for (int round = atoi(argv[1]); round > 0; round--) {
    for (const char *next = argv[2]; *next != '\0'; next += strspn(next, ",")) {
      char *end;
      kill_one((int)strtol(next, &end, 10), argv + 3);
      next = end;
    }
    fflush(stdout);
  }
  return 0;
}
