#include "sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>

static int result(int value)
{
  return value < 0 ? -errno : value;
}

/* `fe80::1%eth0`, or `%2` by the interface's index. */
static int inet6_address(char *text, uint32_t port, struct sockaddr_in6 *in6)
{
  char *zone = strchr(text, '%');
  if (zone) {
    *zone++ = 0;
    char *end;
    unsigned long index = strtoul(zone, &end, 10);
    if (*end || end == zone)
      index = if_nametoindex(zone);
    if (index == 0 || index > UINT32_MAX)
      return -ENODEV;
    in6->sin6_scope_id = (uint32_t)index;
  }
  in6->sin6_family = AF_INET6;
  in6->sin6_port = htons((uint16_t)port);
  return inet_pton(AF_INET6, text, &in6->sin6_addr) == 1 ? 0 : -EINVAL;
}

/* A leading `@` is the abstract name's leading NUL, whose length is its own; a path ends with a NUL, counted. */
static int unix_address(const char *text, size_t length, struct sockaddr_un *un, socklen_t *size)
{
  if (length == 0 || (text[0] != '@' && memchr(text, 0, length)))
    return -EINVAL;
  if (length > sizeof un->sun_path - (text[0] != '@'))
    return -ENAMETOOLONG;
  un->sun_family = AF_UNIX;
  memcpy(un->sun_path, text, length);
  *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  if (text[0] == '@')
    un->sun_path[0] = 0;
  else
    *size += 1;
  return 0;
}

int sock_address(int family, const char *text, size_t length, uint32_t port, struct sock_address *address)
{
  memset(address, 0, sizeof *address);
  if (family == AF_UNIX)
    return unix_address(text, length, (struct sockaddr_un *)&address->storage, &address->length);

  char copy[128];
  if (length >= sizeof copy)
    return -EINVAL;
  memcpy(copy, text, length);
  copy[length] = 0;
  if (family == AF_UNSPEC) {
    address->length = sizeof(struct sockaddr);
    return 0;
  }
  if (family == AF_INET) {
    struct sockaddr_in *in = (struct sockaddr_in *)&address->storage;
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)port);
    address->length = sizeof *in;
    return inet_pton(AF_INET, copy, &in->sin_addr) == 1 ? 0 : -EINVAL;
  }
  if (family == AF_INET6) {
    address->length = sizeof(struct sockaddr_in6);
    return inet6_address(copy, port, (struct sockaddr_in6 *)&address->storage);
  }
  if (family == AF_VSOCK) {
    struct sockaddr_vm *vm = (struct sockaddr_vm *)&address->storage;
    vm->svm_family = AF_VSOCK;
    vm->svm_port = port;
    vm->svm_cid = (unsigned int)strtoul(copy, NULL, 10);
    address->length = sizeof *vm;
    return 0;
  }
  return -EAFNOSUPPORT;
}

int sock_open(int domain, int type, int protocol)
{
  return result(socket(domain, type | SOCK_CLOEXEC, protocol));
}

int sock_pair(int domain, int type, int32_t fds[2])
{
  return result(socketpair(domain, type | SOCK_CLOEXEC, 0, fds));
}

int sock_bind(int fd, const struct sock_address *address)
{
  return result(bind(fd, (const struct sockaddr *)&address->storage, address->length));
}

int sock_connect(int fd, const struct sock_address *address)
{
  return result(connect(fd, (const struct sockaddr *)&address->storage, address->length));
}

int sock_listen(int fd, int backlog)
{
  return result(listen(fd, backlog));
}

int sock_accept(int fd)
{
  return result(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

int sock_shutdown(int fd, int how)
{
  return result(shutdown(fd, how));
}

int sock_set_option(int fd, int level, int name, const void *value, size_t length)
{
  return result(setsockopt(fd, level, name, value, (socklen_t)length));
}

int sock_get_option(int fd, int level, int name, void *value, size_t length)
{
  socklen_t size = (socklen_t)length;
  return getsockopt(fd, level, name, value, &size) < 0 ? -errno : (int)size;
}

static int words_of(const struct sock_address *address, struct sock_words *words)
{
  words->family = address->storage.ss_family;
  words->port = 0;
  words->text[0] = 0;
  if (words->family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address->storage;
    inet_ntop(AF_INET, &in->sin_addr, words->text, sizeof words->text);
    words->port = ntohs(in->sin_port);
  } else if (words->family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->storage;
    inet_ntop(AF_INET6, &in6->sin6_addr, words->text, sizeof words->text);
    words->port = ntohs(in6->sin6_port);
    if (in6->sin6_scope_id) {
      size_t end = strlen(words->text);
      char zone[IF_NAMESIZE];
      if (if_indextoname(in6->sin6_scope_id, zone))
        snprintf(words->text + end, sizeof words->text - end, "%%%s", zone);
      else
        snprintf(words->text + end, sizeof words->text - end, "%%%u", in6->sin6_scope_id);
    }
  } else if (words->family == AF_VSOCK) {
    const struct sockaddr_vm *vm = (const struct sockaddr_vm *)&address->storage;
    snprintf(words->text, sizeof words->text, "%u", vm->svm_cid);
    words->port = vm->svm_port;
  } else if (words->family == AF_UNIX) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->storage;
    size_t length = address->length - offsetof(struct sockaddr_un, sun_path);
    if (address->length <= offsetof(struct sockaddr_un, sun_path))
      length = 0;
    if (length > 0 && un->sun_path[0])
      length = strnlen(un->sun_path, length);
    memcpy(words->text, un->sun_path, length);
    if (length > 0 && !words->text[0])
      words->text[0] = '@';
    words->length = length;
    return 0;
  }
  words->length = strlen(words->text);
  return 0;
}

int sock_name(int fd, struct sock_words *words)
{
  struct sock_address address = {.length = sizeof address.storage};
  if (getsockname(fd, (struct sockaddr *)&address.storage, &address.length) < 0)
    return -errno;
  return words_of(&address, words);
}

int sock_peer_name(int fd, struct sock_words *words)
{
  struct sock_address address = {.length = sizeof address.storage};
  if (getpeername(fd, (struct sockaddr *)&address.storage, &address.length) < 0)
    return -errno;
  return words_of(&address, words);
}

int sock_unsent(int fd)
{
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
}
