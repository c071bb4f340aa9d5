/* What the guard reads and does below Node.js: audit.c, diag.c, inet_diag.c, unix_diag.c, md5_diag.c, filter_probe.c and watch.c. */
#include "audit.h"
#include "diag.h"
#include "filter_probe.h"
#include "harness.h"
#include "watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int listener(int family)
{
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  socklen_t length = sizeof in6;
  CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
  /* Bound again by its number: a listener that was shut keeps only an explicit port. */
  CHECK(bind(fd, family == AF_INET ? (void *)&in : (void *)&in6, family == AF_INET ? sizeof in : sizeof in6) == 0);
  CHECK(getsockname(fd, family == AF_INET ? (void *)&in : (void *)&in6, &length) == 0);
  close(fd);
  fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
  CHECK(bind(fd, family == AF_INET ? (void *)&in : (void *)&in6, family == AF_INET ? sizeof in : sizeof in6) == 0);
  CHECK(listen(fd, 16) == 0);
  return fd;
}

/* Rows of any level, name and size, on sockets of every kind and on none, into room that is exactly as large, or too small. */
static void any_rows_on_any_socket(uint64_t seed, int rounds)
{
  static const int levels[] = {AUDIT_FACT, SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, 40, 9999};
  const int fds[] = {listener(AF_INET), listener(AF_INET6), socket(AF_INET, SOCK_DGRAM, 0), socket(AF_UNIX, SOCK_STREAM, 0),
                     socket(AF_UNIX, SOCK_DGRAM, 0), STDIN_FILENO, -1};
  enum { FDS = sizeof fds / sizeof fds[0] };
  for (int round = 0; round < rounds; round++) {
    struct audit_row rows[8];
    size_t count = below(&seed, 9), due = 0;
    for (size_t i = 0; i < count; i++) {
      rows[i] = (struct audit_row){levels[below(&seed, 8)], (int32_t)below(&seed, 130), (int32_t)below(&seed, 70)};
      /* Each read of this one opens a descriptor. */
      if (rows[i].level == SOL_SOCKET && rows[i].name == 77)
        rows[i].name = 1;
      due += (size_t)rows[i].size;
    }
    size_t room = below(&seed, 4) == 0 && due > 0 ? below(&seed, (uint32_t)due) : due;
    uint8_t *values = malloc(room ? room : 1);
    int fd = fds[below(&seed, FDS)];
    int filled = audit_read(fd, rows, count, values, room);
    CHECK(fd < 0 ? filled == -EBADF : filled == (room < due ? -ENOBUFS : (int)due));
    free(values);
  }
  for (size_t i = 0; i < FDS; i++)
    if (fds[i] > STDERR_FILENO)
      close(fds[i]);
}

static int add_key(int fd, int family, uint32_t host)
{
  struct tcp_md5sig key = {.tcpm_keylen = 3, .tcpm_key = "key"};
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(host)};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr.s6_addr32 = {htonl(0x20010db8), 0, 0, htonl(host)}};
  memcpy(&key.tcpm_addr, family == AF_INET ? (void *)&in : (void *)&in6, family == AF_INET ? sizeof in : sizeof in6);
  return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key);
}

/* As many as the kernel takes: more than it can tell at once. Needs CAP_NET_ADMIN to see them. */
static void keys_by_the_hundred(int family)
{
  int fd = listener(family), added = 0;
  CHECK(md5_count(fd) == 0 && md5_remove(fd) == 0 && md5_count(-1) == 0);
  if (geteuid() == 0 && add_key(fd, family, 1) == 0) {
    CHECK(md5_count(fd) == 1 && md5_remove(fd) == 1 && md5_count(fd) == 0);
    while (added < 2000 && add_key(fd, family, (uint32_t)added + 1) == 0)
      added++;
    CHECK(md5_count(fd) > 0);
    md5_remove(fd);
    CHECK(added > 600 || md5_count(fd) == 0);
  }
  close(fd);
}

static void unix_sockets(void)
{
  struct unix_figures figures;
  CHECK(unix_diag(0, &figures) < 0);
  CHECK(unix_diag(UINT32_MAX, &figures) < 0);
}

static void udp_shutdowns(int family)
{
  int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
  struct sockaddr *name = (struct sockaddr *)&address;
  socklen_t length = sizeof address;
  uint8_t how = 0xff;
  if (fd < 0)
    return;
  if (bind(fd, name, length) == 0 && getsockname(fd, name, &length) == 0) {
    CHECK(udp_diag_shutdown(fd, &how) == 0 && how == 0);
    /* It is done all the same (net/ipv4/af_inet.c, inet_shutdown). */
    CHECK(shutdown(fd, SHUT_WR) < 0 && errno == ENOTCONN);
    CHECK(udp_diag_shutdown(fd, &how) == 0 && how == 2);
  }
  close(fd);
  CHECK(udp_diag_shutdown(-1, &how) < 0);
}

struct attack {
  int fd;
  int times;
};

static void *attack(void *data)
{
  struct attack *attack = data;
  for (int i = 0; i < attack->times; i++) {
    int listening = 0;
    socklen_t length = sizeof listening;
    shutdown(attack->fd, SHUT_RDWR);
    while (getsockopt(attack->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0 && !listening)
      usleep(10);
  }
  return NULL;
}

/* A holder shuts two listeners again and again while others come and go, and while events are taken, or not. */
static void shut_again_and_again(int times, int taking)
{
  struct watch *watch;
  struct watch_event events[4];
  pthread_t threads[2];
  struct attack attacks[2] = {{listener(AF_INET), times}, {listener(AF_INET6), times}};
  CHECK(watch_start(&watch) == 0);
  for (int i = 0; i < 2; i++) {
    CHECK(watch_add(watch, attacks[i].fd, 16) == 0);
    CHECK(pthread_create(&threads[i], NULL, attack, &attacks[i]) == 0);
  }
  for (int i = 0; i < times; i++) {
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(watch_add(watch, other, -1) == 0);
    for (int count = taking; count > 0;)
      count = watch_take(watch, events, 4);
    CHECK(watch_remove(watch, other) == 0 && watch_remove(watch, other) < 0);
    close(other);
  }
  for (int i = 0; i < 2; i++) {
    pthread_join(threads[i], NULL);
    CHECK(watch_remove(watch, attacks[i].fd) == 0);
  }
  watch_stop(watch);
  for (int i = 0; i < 2; i++)
    close(attacks[i].fd);
}

int main(int argc, char **argv)
{
  int before = open_fds();
  any_rows_on_any_socket(argc > 1 ? strtoull(argv[1], NULL, 10) : 1, 50000);
  keys_by_the_hundred(AF_INET);
  keys_by_the_hundred(AF_INET6);
  unix_sockets();
  udp_shutdowns(AF_INET);
  udp_shutdowns(AF_INET6);
  CHECK(filter_probe() >= 0 && filter_probe() <= 1);
  shut_again_and_again(300, 1);
  shut_again_and_again(300, 0);
  CHECK(open_fds() == before);
  puts("ok");
  return 0;
}
