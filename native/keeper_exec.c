/*
 * The keeper becomes the one that is installed now: execve(2) keeps the pid, the children, the signals that wait, POSIX locks, and
 * every descriptor that is not close-on-exec. Which descriptor is under which key goes along in a memfd.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROBE_MS 1000

struct header {
  char magic[4];
  int32_t version;
  int32_t broker_pid, broker_fd;
  int32_t deaths, last_pid, last_status;
  int32_t locked_length;
  char locked[KEY_MAX];
};

/* Only when one broker is there, which serves, and nothing is half sent. */
bool exec_is_due(const struct keeper *keeper)
{
  return keeper->next_keeper[0] && keeper->broker.serving && keeper->candidate.pid <= 0 && keeper->retiring.pid <= 0 &&
         !keeper->broker.getting && !keeper->stop_signal && !keeper->waiting_signals;
}

static bool is_another(const char *path)
{
  struct stat mine, next;
  if (stat("/proc/self/exe", &mine) < 0 || stat(path, &next) < 0)
    return false;
  return mine.st_dev != next.st_dev || mine.st_ino != next.st_ino || mine.st_mtime != next.st_mtime;
}

/* Whether that program starts here and reads what this one writes; it has a second for the answer. */
static bool understands(const char *path)
{
  char version[16];
  snprintf(version, sizeof version, "%d", STATE_VERSION);
  pid_t pid = fork();
  if (pid == 0) {
    execl(path, path, "--reads-state", version, (char *)NULL);
    _exit(127);
  }
  int status = -1;
  for (int waited = 0; pid > 0 && waitpid(pid, &status, WNOHANG) == 0; waited += 10) {
    if (waited > PROBE_MS)
      kill(pid, SIGKILL);
    poll(NULL, 0, 10);
  }
  return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void put(int fd, const void *bytes, size_t length, bool *well)
{
  *well = *well && write(fd, bytes, length) == (ssize_t)length;
}

static int write_state(const struct keeper *keeper)
{
  int fd = memfd_create("fd-broker-keeper", 0);
  if (fd < 0)
    return -errno;
  struct header header = {
    .magic = {'F', 'D', 'B', 'K'}, .version = STATE_VERSION,
    .broker_pid = keeper->broker.pid, .broker_fd = keeper->broker.fd,
    .deaths = keeper->deaths, .last_pid = keeper->last_pid, .last_status = keeper->last_status,
    .locked_length = (int32_t)keeper->locked_length,
  };
  bool well = true;
  memcpy(header.locked, keeper->locked, sizeof header.locked);
  put(fd, &header, sizeof header, &well);
  for (const struct entry *entry = table_first(); entry; entry = entry->next) {
    put(fd, &entry->key_length, sizeof entry->key_length, &well);
    put(fd, &entry->count, sizeof entry->count, &well);
    put(fd, entry->fds, entry->count * sizeof *entry->fds, &well);
    put(fd, entry_key(entry), entry->key_length, &well);
  }
  if (well && lseek(fd, 0, SEEK_SET) == 0)
    return fd;
  close(fd);
  return -EIO;
}

static void mark(const struct keeper *keeper, int flags)
{
  fcntl(keeper->broker.fd, F_SETFD, flags);
  for (const struct entry *entry = table_first(); entry; entry = entry->next) {
    for (size_t i = 0; i < entry->count; i++)
      fcntl(entry->fds[i], F_SETFD, flags);
  }
}

/* Returns when it did not come to pass: this keeper goes on then. */
void exec_next(struct keeper *keeper)
{
  char path[PACKET_MAX], number[16];
  memcpy(path, keeper->next_keeper, sizeof path);
  keeper->next_keeper[0] = '\0';
  if (!is_another(path))
    return;
  if (!understands(path))
    return say("stays as it is: the new one does not start, or does not read this one's state", path);
  int state = write_state(keeper);
  if (state < 0)
    return say("stays as it is", strerror(-state));
  snprintf(number, sizeof number, "%d", state);
  setenv("FD_BROKER_KEEPER_STATE", number, 1);
  mark(keeper, 0);
  char *former = keeper->argv[0];
  keeper->argv[0] = path;
  execv(path, keeper->argv);
  int error = errno;
  keeper->argv[0] = former;
  mark(keeper, FD_CLOEXEC);
  unsetenv("FD_BROKER_KEEPER_STATE");
  close(state);
  say("stays as it is: the new one cannot be run", strerror(error));
}

static bool get(int fd, void *bytes, size_t length)
{
  return read(fd, bytes, length) == (ssize_t)length;
}

static int read_entries(int state)
{
  int fds[FDS_MAX];
  uint8_t key[KEY_MAX];
  for (uint16_t words[2]; get(state, words, sizeof words);) {
    if (words[0] > KEY_MAX || words[1] > FDS_MAX || !get(state, fds, words[1] * sizeof *fds) ||
        !get(state, key, words[0]))
      return -EINVAL;
    int status = table_put(key, words[0], fds, words[1]);
    if (status < 0)
      return status;
  }
  return 0;
}

int exec_resume(struct keeper *keeper, int state)
{
  struct header header;
  if (!get(state, &header, sizeof header) || memcmp(header.magic, "FDBK", 4) != 0 ||
      header.version != STATE_VERSION || header.locked_length < 0 || header.locked_length > KEY_MAX)
    return -EINVAL;
  int status = read_entries(state);
  close(state);
  if (status < 0)
    return status;
  keeper->broker = (struct child){
    .pid = header.broker_pid, .fd = header.broker_fd, .serving = true, .started = now_ms()};
  keeper->deaths = header.deaths;
  keeper->last_pid = header.last_pid;
  keeper->last_status = header.last_status;
  keeper->served = true;
  keeper->locked_length = (size_t)header.locked_length;
  memcpy(keeper->locked, header.locked, sizeof keeper->locked);
  mark(keeper, FD_CLOEXEC);
  return 0;
}
