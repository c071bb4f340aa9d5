/*
 * scm.c against the kernel's own control messages in buffers of every size, and against control messages that no kernel makes. The cases
 * of gVisor's socket_unix_cmsg.cc: no space, one too small, padding, null control, truncation, 253 and 254 descriptors.
 * Linked with --wrap=recvmsg,--wrap=close.
 */
#include "harness.h"
#include "scm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { AS_IS = -1, NO_CONTROL = -2, FORGED = -3 };

static struct {
  long control; /* bytes of control buffer, or one of the above */
  unsigned char forged[2048];
  size_t forged_length;
} next = {.control = AS_IS};

ssize_t __real_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
  if (next.control == FORGED) {
    memcpy(message->msg_control, next.forged, next.forged_length);
    message->msg_controllen = next.forged_length;
    return 1;
  }
  if (next.control == NO_CONTROL)
    message->msg_control = NULL;
  if (next.control != AS_IS)
    message->msg_controllen = next.control == NO_CONTROL ? 0 : (size_t)next.control;
  return __real_recvmsg(fd, message, flags);
}

int __real_close(int fd);
int __wrap_close(int fd);

/* What a forged message names was never given to us. */
int __wrap_close(int fd)
{
  return next.control == FORGED ? 0 : __real_close(fd);
}

static int ends[2];
static int32_t many[SCM_FDS_MAX + 2];

static void open_pair(bool credentials)
{
  int on = credentials;
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
}

static void close_pair(void)
{
  close(ends[0]);
  close(ends[1]);
}

static void close_taken(const struct scm_meta *meta)
{
  for (int i = 0; i < meta->nfds; i++) {
    CHECK(fcntl(meta->fds[i], F_GETFD) == FD_CLOEXEC);
    CHECK(close(meta->fds[i]) == 0);
  }
}

/* Sends `count` descriptors and receives them with that much room. */
static struct scm_meta pass(int count, long control)
{
  struct scm_meta meta;
  char bytes[8];
  int before = open_fds();
  CHECK(scm_send(ends[0], "x", 1, many, (size_t)count, NULL, 0) == 1);
  next.control = control;
  CHECK(scm_recv(ends[1], bytes, sizeof bytes, &meta) == 1);
  next.control = AS_IS;
  CHECK(meta.nfds >= 0 && meta.nfds <= count);
  CHECK(meta.nfds == count || meta.flags & SCM_CONTROL_TRUNCATED);
  CHECK(open_fds() == before + meta.nfds);
  close_taken(&meta);
  CHECK(open_fds() == before);
  return meta;
}

static void buffers_of_every_size(bool credentials)
{
  static const int counts[] = {0, 1, 2, 3, 10, SCM_FDS_MAX};
  open_pair(credentials);
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
    for (long size = 0; size <= (long)(CMSG_SPACE(SCM_FDS_MAX * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))); size++)
      pass(counts[i], size);
  close_pair();
}

static void the_named_cases(void)
{
  open_pair(false);
  CHECK(pass(1, 0).nfds == 0);                                 /* no space */
  CHECK(pass(1, CMSG_LEN(sizeof(int)) - 1).nfds == 0);         /* one too small */
  CHECK(pass(1, CMSG_LEN(sizeof(int))).nfds == 1);
  CHECK(pass(10, CMSG_SPACE(sizeof(int))).nfds == 2);          /* padding takes a second */
  CHECK(pass(3, CMSG_LEN(2 * sizeof(int))).nfds == 2);         /* truncation */
  CHECK(pass(1, NO_CONTROL).nfds == 0);
  CHECK(pass(SCM_FDS_MAX, AS_IS).nfds == SCM_FDS_MAX);
  CHECK(scm_send(ends[0], "x", 1, many, SCM_FDS_MAX + 1, NULL, 0) == -EINVAL);
  CHECK(scm_send(ends[0], "x", 1, many, SCM_FDS_MAX + 2, NULL, 0) == -EINVAL);
  close_pair();
}

static void a_long_packet_is_truncated_and_its_descriptors_are_there(void)
{
  struct scm_meta meta;
  char bytes[4];
  open_pair(true);
  CHECK(scm_send(ends[0], "12345", 5, many, 2, NULL, 0) == 5);
  CHECK(scm_recv(ends[1], bytes, sizeof bytes, &meta) == 4);
  CHECK(meta.flags == (SCM_TRUNCATED | SCM_HAS_CREDENTIALS) && meta.nfds == 2 && meta.pid == getpid());
  close_taken(&meta);
  close_pair();
}

static void an_empty_packet_is_no_end(void)
{
  struct scm_meta meta;
  char bytes[4];
  open_pair(true);
  CHECK(scm_send(ends[0], "", 0, NULL, 0, NULL, 0) == 0);
  CHECK(scm_recv(ends[1], bytes, sizeof bytes, &meta) == 0 && meta.flags == SCM_HAS_CREDENTIALS);
  close(ends[0]);
  CHECK(scm_recv(ends[1], bytes, sizeof bytes, &meta) == 0 && meta.flags == 0);
  close(ends[1]);
}

static void a_full_table_loses_descriptors_and_says_so(void)
{
  struct scm_meta meta;
  struct rlimit before, full;
  char bytes[4];
  open_pair(false);
  CHECK(scm_send(ends[0], "x", 1, many, 5, NULL, 0) == 1);
  int highest = dup(ends[0]);
  getrlimit(RLIMIT_NOFILE, &before);
  full = before;
  full.rlim_cur = (rlim_t)highest + 3;
  CHECK(setrlimit(RLIMIT_NOFILE, &full) == 0);
  CHECK(scm_recv(ends[1], bytes, sizeof bytes, &meta) == 1);
  CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(meta.nfds == 2 && meta.flags & SCM_CONTROL_TRUNCATED);
  close_taken(&meta);
  close(highest);
  close_pair();
}

/* No kernel makes these. */
static void forged_control_messages(uint64_t seed, int rounds)
{
  static const int types[] = {SCM_RIGHTS, SCM_CREDENTIALS, 4, 99};
  struct scm_meta meta;
  char bytes[4];
  int before = open_fds();
  next.control = FORGED;
  for (int round = 0; round < rounds; round++) {
    memset(next.forged, 0xee, sizeof next.forged);
    next.forged_length = below(&seed, sizeof next.forged);
    for (size_t at = 0; at + sizeof(struct cmsghdr) <= next.forged_length;) {
      struct cmsghdr header = {.cmsg_level = below(&seed, 4) ? SOL_SOCKET : 41, .cmsg_type = types[below(&seed, 4)]};
      uint32_t kind = below(&seed, 8);
      header.cmsg_len = kind == 0 ? below(&seed, 20) : kind == 1 ? SIZE_MAX - below(&seed, 64) : 16 + below(&seed, 1200);
      memcpy(next.forged + at, &header, sizeof header);
      at += CMSG_ALIGN(sizeof header + below(&seed, 200));
    }
    CHECK(scm_recv(-1, bytes, sizeof bytes, &meta) == 1);
    CHECK(meta.nfds >= 0 && meta.nfds <= SCM_FDS_MAX);
  }
  next.control = AS_IS;
  CHECK(open_fds() == before);
}

int main(int argc, char **argv)
{
  int before = open_fds();
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
    many[i] = null;
  buffers_of_every_size(false);
  buffers_of_every_size(true);
  the_named_cases();
  a_long_packet_is_truncated_and_its_descriptors_are_there();
  an_empty_packet_is_no_end();
  a_full_table_loses_descriptors_and_says_so();
  forged_control_messages(argc > 1 ? strtoull(argv[1], NULL, 10) : 1, 200000);
  close(null);
  CHECK(open_fds() == before);
  puts("ok");
  return 0;
}
