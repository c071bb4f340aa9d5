#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Twice what it has; its list of groups, which has no bound, comes before. */
enum { STATUS_MOST = 4096 };

/* SCHED_FLAG_RESET_ON_FORK: neither threads nor children have it. */
enum { SCHED_RESET_ON_FORK_FLAG = 1 };

static int result(long value)
{
  return value < 0 ? -errno : (int)value;
}

/* Never again on EINTR: Linux has released the number by then, and another thread may own it (close(2)). */
int proc_close(int fd)
{
  return result(close(fd));
}

/* Of a descriptor that came from another process: a socket's close does not wait for its data, unless its sender sees to it again. */
int proc_close_foreign(int fd)
{
  struct linger linger = {.l_onoff = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  return proc_close(fd);
}

int proc_dup(int fd)
{
  return result(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

int proc_open(const char *path, int flags, int mode)
{
  return result(open(path, flags | O_CLOEXEC, mode));
}

int proc_exchange(const char *path, const char *other)
{
  return result((int)syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE));
}

int proc_chmod(int fd, int mode)
{
  return result(fchmod(fd, (mode_t)mode));
}

int proc_chown(int fd, int uid, int gid)
{
  return result(fchown(fd, (uid_t)uid, (gid_t)gid));
}

int proc_stat(int fd, struct proc_stat *out)
{
  struct stat stat;
  if (fstat(fd, &stat) < 0)
    return -errno;
  *out = (struct proc_stat){.dev = stat.st_dev, .ino = stat.st_ino, .mode = stat.st_mode, .uid = stat.st_uid};
  return 0;
}

int proc_nonblock(int fd)
{
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -errno : (flags & O_NONBLOCK) != 0;
}

int proc_set_nonblock(int fd, int on)
{
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0)
    return -errno;
  if (on == ((flags & O_NONBLOCK) != 0))
    return 0;
  return result(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

/* A signal that is pending makes poll(2) fail with EINTR even where it is not to wait. */
int proc_poll(int fd, int events)
{
  int found;
  do {
    found = proc_wait(fd, events, 0);
  } while (found == -EINTR);
  return found;
}

int proc_wait(int fd, int events, int milliseconds)
{
  struct pollfd one = {.fd = fd, .events = (short)events};
  return poll(&one, 1, milliseconds) < 0 ? -errno : one.revents;
}

/* A POSIX lock belongs to the process: a forked child does not keep it, as it would a flock. */
int proc_lock(int fd)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return result(fcntl(fd, F_SETLK, &lock));
}

int proc_lock_holder(int fd)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(fd, F_GETLK, &lock) < 0)
    return -errno;
  return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

int proc_yield(void)
{
  return result(sched_yield());
}

/* struct sched_attr of sched_setattr(2) as it was at first: libc has it only of late, and then clashes with the kernel's. */
struct attributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

/* Of the calling thread. Whoever was given another policy has it for a reason. */
int proc_slice(int microseconds)
{
  struct attributes attributes;
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) < 0)
    return -errno;
  if (attributes.policy != SCHED_OTHER)
    return -EINVAL;
  attributes.size = sizeof attributes;
  attributes.flags = SCHED_RESET_ON_FORK_FLAG;
  attributes.runtime = (uint64_t)microseconds * 1000;
  return result(syscall(SYS_sched_setattr, 0, &attributes, 0));
}

int proc_pidfd_open(int pid)
{
  return result(syscall(SYS_pidfd_open, pid, 0));
}

/* PIDFD_THREAD of pidfd_open(2), Linux 6.9: readable when that thread has ended. EINVAL before. */
int proc_pidfd_open_thread(int tid)
{
  return result(syscall(SYS_pidfd_open, tid, O_EXCL));
}

int proc_pidfd_signal(int pidfd, int signal)
{
  return result(syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

int proc_pidfd_getfd(int pidfd, int fd)
{
  return result(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

/* Whether SIGKILL waits for the process itself whose /proc/PID/status this is (ShdPnd of proc_pid_status(5), hexadecimal). */
int proc_kill_pending(int status)
{
  char text[STATUS_MOST];
  ssize_t length = pread(status, text, sizeof text - 1, 0);
  if (length < 0)
    return -errno;
  text[length] = '\0';
  const char *pending = strstr(text, "\nShdPnd:\t");
  return pending && (strtoull(pending + strlen("\nShdPnd:\t"), NULL, 16) & 1ULL << (SIGKILL - 1)) != 0;
}

/* A file without a path, for bytes that outlive this process in another's descriptor (memfd_create(2)). */
int proc_memory_file(const char *name)
{
  return result(memfd_create(name, MFD_CLOEXEC));
}
