/*
 * Who has a socket open: /proc/PID/fd of every process. All that is read of one process goes through one descriptor of its
 * directory, so a recycled pid is never mixed in: after its end the directory reads ESRCH (proc(5)).
 */
#include "proc_scan.h"
#include "passing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  /* A process may have a million descriptors. Those it began with, and so inherited, have the lowest numbers. */
  DESCRIPTORS_MOST = 65536,
  /* The inodes of one process that are told; a worker of more names than that is found all the same. */
  INODES_MOST = 1024,
  STATUS_MOST = 4096,
  CGROUP_MOST = 4096,
  /* The process itself chooses it, and it may be megabytes. */
  CMDLINE_MOST = 4096,
};

struct entry {
  uint64_t inode;
  int64_t next;
  unsigned short length;
  unsigned char type;
  char name[];
};

struct process {
  int directory;
  /* -errno of what this process has too few of to look at that one. */
  int shortage;
  uint64_t inodes[INODES_MOST];
  size_t inode_count;
};

static int reserve(struct proc_found *found, size_t more)
{
  if (found->room - found->length >= more)
    return 0;
  size_t room = found->room * 2 + more + 65536;
  unsigned char *bytes = realloc(found->bytes, room);
  if (!bytes)
    return -ENOMEM;
  found->bytes = bytes;
  found->room = room;
  return 0;
}

static int compare_inodes(const void *a, const void *b)
{
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return (left > right) - (left < right);
}

static int compare_pids(const void *a, const void *b)
{
  int32_t left = *(const int32_t *)a, right = *(const int32_t *)b;
  return (left > right) - (left < right);
}

static long number(const char *digits)
{
  long value = 0;
  for (; *digits >= '0' && *digits <= '9'; digits++)
    value = value * 10 + (*digits - '0');
  return *digits == '\0' || *digits == ']' ? value : -1;
}

static void note(const struct proc_wanted *wanted, struct process *process, const char *link)
{
  static const char prefix[] = "socket:[";
  if (strncmp(link, prefix, sizeof prefix - 1) != 0)
    return;
  uint64_t inode = (uint64_t)number(link + sizeof prefix - 1);
  if (!bsearch(&inode, wanted->inodes, wanted->inode_count, sizeof inode, compare_inodes))
    return;
  for (size_t i = 0; i < process->inode_count; i++)
    if (process->inodes[i] == inode)
      return;
  if (process->inode_count < INODES_MOST)
    process->inodes[process->inode_count++] = inode;
}

static bool is_refusal(int error)
{
  return error == EACCES || error == EPERM;
}

static int open_in(struct process *process, const char *name, int flags)
{
  int fd = openat(process->directory, name, O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0 && is_passing(errno))
    process->shortage = -errno;
  return fd;
}

/*
 * False when we may not look into it: without CAP_DAC_READ_SEARCH the directory of another user's process cannot be opened, without
 * CAP_SYS_PTRACE its links cannot be read (proc(5)). A process that has gone has nothing open.
 */
static bool look(const struct proc_wanted *wanted, struct process *process)
{
  int fds = open_in(process, "fd", O_DIRECTORY);
  if (fds < 0)
    return !is_refusal(errno);
  _Alignas(struct entry) char buffer[32768];
  bool allowed = true;
  size_t seen = 0;
  long got;
  while (allowed && seen < DESCRIPTORS_MOST && (got = syscall(SYS_getdents64, fds, buffer, sizeof buffer)) > 0) {
    for (long at = 0; allowed && at < got;) {
      const struct entry *entry = (const struct entry *)(buffer + at);
      at += entry->length;
      seen++;
      if (entry->name[0] == '.')
        continue;
      char link[64];
      ssize_t length = readlinkat(fds, entry->name, link, sizeof link - 1);
      allowed = length >= 0 || !is_refusal(errno);
      if (length < 0)
        continue;
      link[length] = '\0';
      note(wanted, process, link);
    }
  }
  close(fds);
  return allowed;
}

static size_t slurp(struct process *process, const char *name, void *bytes, size_t most)
{
  int fd = open_in(process, name, 0);
  if (fd < 0)
    return 0;
  size_t length = 0;
  ssize_t got;
  while (length < most && (got = read(fd, (char *)bytes + length, most - length)) > 0)
    length += (size_t)got;
  close(fd);
  return length;
}

static uint32_t append(struct proc_found *found, struct process *process, const char *name, size_t most)
{
  size_t length = slurp(process, name, found->bytes + found->length, most);
  found->length += length;
  return (uint32_t)length;
}

/* The fields of a line of numbers: real, effective, saved, of the file system. */
static uint32_t field(const char *status, const char *label, int skip)
{
  const char *line = strstr(status, label);
  unsigned long first = 0, second = 0;
  if (!line || sscanf(line + strlen(label), "%lu %lu", &first, &second) < 1)
    return 0;
  return (uint32_t)(skip ? second : first);
}

static bool identify(struct process *process, struct proc_record *header)
{
  char status[STATUS_MOST];
  size_t length = slurp(process, "status", status, sizeof status - 1);
  status[length] = '\0';
  header->parent = field(status, "\nPPid:", 0);
  header->uid = field(status, "\nUid:", 1);
  header->gid = field(status, "\nGid:", 1);
  return length > 0;
}

/* A kernel thread and a zombie have no memory, and no descriptors. */
static bool has_memory(struct process *process)
{
  char status[STATUS_MOST];
  size_t length = slurp(process, "status", status, sizeof status - 1);
  status[length] = '\0';
  return length == 0 || strstr(status, "\nVmSize:") != NULL;
}

static int tell_unseen(struct proc_found *found, struct process *process, int32_t pid)
{
  if (!has_memory(process))
    return 0;
  if (found->unseen_count == found->unseen_room) {
    size_t room = found->unseen_room * 2 + 256;
    uint32_t *pids = realloc(found->unseen, room * sizeof *pids);
    if (!pids)
      return -ENOMEM;
    found->unseen = pids;
    found->unseen_room = room;
  }
  found->unseen[found->unseen_count++] = (uint32_t)pid;
  return 0;
}

static int record(struct proc_found *found, struct process *process, int32_t pid)
{
  struct proc_record header = {.pid = (uint32_t)pid, .inodes = (uint32_t)process->inode_count};
  size_t inodes = process->inode_count * sizeof *process->inodes;
  if (!identify(process, &header))
    return 0;
  if (reserve(found, sizeof header + inodes + CGROUP_MOST + CMDLINE_MOST) < 0)
    return -ENOMEM;
  size_t start = found->length;
  memcpy(found->bytes + start + sizeof header, process->inodes, inodes);
  found->length += sizeof header + inodes;
  header.cgroup = append(found, process, "cgroup", CGROUP_MOST);
  header.cmdline = append(found, process, "cmdline", CMDLINE_MOST);
  memcpy(found->bytes + start, &header, sizeof header);
  return 0;
}

static int scan_process(const struct proc_wanted *wanted, struct proc_found *found, int proc, const char *name)
{
  int32_t pid = (int32_t)number(name);
  struct process process;
  process.inode_count = 0;
  process.shortage = 0;
  process.directory = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (process.directory < 0)
    return is_passing(errno) ? -errno : 0;
  int status = 0;
  if (wanted->inode_count > 0 && !look(wanted, &process))
    status = tell_unseen(found, &process, pid);
  bool named = bsearch(&pid, wanted->pids, wanted->pid_count, sizeof pid, compare_pids) != NULL;
  if (status == 0 && (named || process.inode_count > 0))
    status = record(found, &process, pid);
  close(process.directory);
  return status < 0 ? status : process.shortage;
}

static int scan_named(const struct proc_wanted *wanted, struct proc_found *found, int proc)
{
  int status = 0;
  for (size_t i = 0; status == 0 && i < wanted->pid_count; i++) {
    char name[16];
    snprintf(name, sizeof name, "%d", wanted->pids[i]);
    status = scan_process(wanted, found, proc, name);
  }
  return status;
}

static int scan_all(const struct proc_wanted *wanted, struct proc_found *found, int proc)
{
  _Alignas(struct entry) char buffer[32768];
  int status = 0;
  long got = 0;
  while (status == 0 && (got = syscall(SYS_getdents64, proc, buffer, sizeof buffer)) > 0) {
    for (long at = 0; status == 0 && at < got;) {
      const struct entry *entry = (const struct entry *)(buffer + at);
      at += entry->length;
      if (entry->name[0] >= '1' && entry->name[0] <= '9')
        status = scan_process(wanted, found, proc, entry->name);
    }
  }
  return status == 0 && got < 0 ? -errno : status;
}

int proc_scan(const struct proc_wanted *wanted, struct proc_found *found)
{
  int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0)
    return -errno;
  int status = wanted->inode_count > 0 ? scan_all(wanted, found, proc) : scan_named(wanted, found, proc);
  close(proc);
  return status;
}
