#ifndef FD_BROKER_PROC_H
#define FD_BROKER_PROC_H

#include <stddef.h>
#include <stdint.h>

struct proc_stat {
  uint64_t dev;
  uint64_t ino;
  uint32_t mode;
  uint32_t uid;
};

/* Each returns >= 0, or -errno. */
int proc_close(int fd);
int proc_close_foreign(int fd);
int proc_dup(int fd);
int proc_open(const char *path, int flags, int mode);
/* Each path leads to what the other one led to; -EINVAL where the file system cannot do that. */
int proc_exchange(const char *path, const char *other);
int proc_chmod(int fd, int mode);
int proc_chown(int fd, int uid, int gid);
int proc_stat(int fd, struct proc_stat *stat);
int proc_nonblock(int fd);
int proc_set_nonblock(int fd, int on);
int proc_poll(int fd, int events);
int proc_wait(int fd, int events, int milliseconds);
int proc_lock(int fd);
int proc_lock_holder(int fd);
int proc_yield(void);
int proc_slice(int microseconds);
int proc_pidfd_open(int pid);
int proc_pidfd_open_thread(int tid);
int proc_pidfd_signal(int pidfd, int signal);
int proc_pidfd_getfd(int pidfd, int fd);
int proc_kill_pending(int status);
int proc_memory_file(const char *name);

#endif
