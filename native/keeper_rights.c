/* What the keeper may do: hold descriptors, start the broker, signal it. */
#include "keeper.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Keeps nothing in effect but CAP_KILL, for a broker that changed its user. The permitted set stays: a broker started
 * by an ordinary user with ambient capabilities, or by root under no_new_privs, has by execve(2) what its parent is permitted
 * (capabilities(7)). For the same reason no_new_privs is not set here: it would take from a Node.js that has file capabilities.
 */
void rights_drop(void)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) < 0)
    return;
  data[0].effective &= 1u << CAP_KILL;
  data[1].effective = 0;
  syscall(SYS_capset, &header, data);
}

/* The broker's descriptors are all kept here too. */
void rights_raise_limit(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}
