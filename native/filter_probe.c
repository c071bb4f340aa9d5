/* Capabilities belong to a thread (capabilities(7)), so one that has given all of its own up asks the kernel what a stranger would. */
#include "filter_probe.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_SIZE = 64 * 1024 };

/* The kernel asks for no state of the socket: what is said of this one holds for a listener. */
static int attach(void)
{
  struct sock_filter keep_all = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
  const struct sock_fprog program = {.len = 1, .filter = &keep_all};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  int status = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 1;
  close(fd);
  return status == -EPERM ? 0 : status;
}

static void *run(void *data)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  *(int *)data = syscall(SYS_capset, &header, none) < 0 ? -errno : attach();
  return NULL;
}

/* Signals are for the event loop's thread. */
int filter_probe(void)
{
  sigset_t all, before;
  pthread_t thread;
  pthread_attr_t attributes;
  int answer = -ENOMEM;
  if (pthread_attr_init(&attributes) != 0)
    return -ENOMEM;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int status = pthread_create(&thread, &attributes, run, &answer);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (status != 0)
    return -status;
  pthread_join(thread, NULL);
  return answer;
}
