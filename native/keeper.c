/*
 * fd-broker-keeper PROGRAM [ARGUMENT…]: starts the program with one end of a socketpair, whose number FD_BROKER_KEEPER tells, and
 * starts it again whenever it dies. It ends with the program that ends by itself, and with its status.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A broker that was replaced has this long to tell its clients. */
#define RETIRING_MS 5000
#define RETRY_MS 10

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH};

static struct keeper keeper = {.broker.fd = -1, .candidate.fd = -1, .retiring.fd = -1};

/* One write, so that lines of several processes do not mix. */
void say(const char *text, const char *more)
{
  char line[512];
  int length = snprintf(line, sizeof line, "fd-broker-keeper: %s%s%s\n", text, *more ? ": " : "", more);
  if (length > 0 && write(STDERR_FILENO, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1) < 0)
    return;
}

static void take_signals(int fd)
{
  struct signalfd_siginfo info;
  while (read(fd, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGCHLD)
      life_reap(&keeper);
    else
      signals_pass_on(&keeper, (int32_t)info.ssi_signo);
  }
}

static int watch_signals(void)
{
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (size_t i = 0; i < sizeof passed_on / sizeof *passed_on; i++)
    sigaddset(&set, passed_on[i]);
  sigprocmask(SIG_SETMASK, &set, NULL);
  signal(SIGPIPE, SIG_IGN);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_remove(struct entry *entry)
{
  struct child *all[] = {&keeper.broker, &keeper.candidate};
  for (size_t i = 0; i < 2; i++) {
    if (all[i]->cursor == entry)
      all[i]->cursor = entry->next;
  }
}

static int timeout_of(int64_t at)
{
  int64_t left = at - now_ms();
  return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static int next_timeout(bool stuck)
{
  if (keeper.broker.pid <= 0)
    return timeout_of(keeper.start_at);
  if (stuck)
    return RETRY_MS;
  return keeper.retiring.pid > 0 ? timeout_of(keeper.retiring.started + RETIRING_MS) : -1;
}

static void run(int signals)
{
  struct child *children[] = {&keeper.broker, &keeper.candidate, &keeper.retiring};
  for (;;) {
    bool stuck = false;
    struct pollfd polled[4] = {{.fd = signals, .events = POLLIN}};
    for (int i = 0; i < 3; i++) {
      stuck |= child_send_kept(children[i]) < 0;
      polled[i + 1] = (struct pollfd){.fd = children[i]->fd, .events = POLLIN};
    }
    stuck |= serve_take_due(&keeper) < 0;
    if (poll(polled, 4, next_timeout(stuck)) < 0 && errno != EINTR)
      say("poll", strerror(errno));
    for (int i = 0; i < 3; i++) {
      if (polled[i + 1].revents && polled[i + 1].fd == children[i]->fd)
        serve_packets(&keeper, children[i]);
    }
    take_signals(signals);
    if (keeper.retiring.pid > 0 && now_ms() >= keeper.retiring.started + RETIRING_MS)
      child_kill(&keeper.retiring);
    if (keeper.broker.pid <= 0 && now_ms() >= keeper.start_at)
      life_start(&keeper);
    serve_upgrade_due(&keeper);
    if (exec_is_due(&keeper))
      exec_next(&keeper);
  }
}

/* What systemd passed (sd_listen_fds(3)), under `.listen/N/FDNAME`. */
static void keep_passed(void)
{
  const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"), *names = getenv("LISTEN_FDNAMES");
  int count = pid && fds && atoi(pid) == getpid() ? atoi(fds) : 0;
  for (int i = 0; i < count; i++) {
    char key[KEY_MAX + 1];
    size_t length = names ? strcspn(names, ":") : 0;
    int fd = 3 + i;
    int written = snprintf(key, sizeof key, ".listen/%d/%.*s", i, (int)length, names ? names : "");
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || table_put((uint8_t *)key, (size_t)written, &fd, 1) < 0)
      say("a descriptor that was passed to it cannot be kept", key);
    if (names)
      names += names[length] ? length + 1 : length;
  }
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  unsetenv("LISTEN_FDNAMES");
}

int main(int argc, char **argv)
{
  const char *state = getenv("FD_BROKER_KEEPER_STATE");
  if (argc == 3 && strcmp(argv[1], "--reads-state") == 0)
    return atoi(argv[2]) == STATE_VERSION ? 0 : 1;
  if (argc < 2) {
    say("usage: fd-broker-keeper PROGRAM [ARGUMENT…]; `fd-broker serve` starts it", "");
    return 100;
  }
  keeper.argv = argv;
  rights_raise_limit();
  rights_drop();
  table_on_remove(on_remove);
  int signals = watch_signals();
  if (signals < 0) {
    say("signalfd", strerror(errno));
    return 111;
  }
  if (state) {
    int fd = atoi(state);
    unsetenv("FD_BROKER_KEEPER_STATE");
    int status = exec_resume(&keeper, fd);
    if (status < 0) {
      say("what the keeper before it handed over cannot be read", strerror(-status));
      return 111;
    }
    life_reap(&keeper);
  } else {
    keep_passed();
  }
  run(signals);
}
