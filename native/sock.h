#ifndef FD_BROKER_SOCK_H
#define FD_BROKER_SOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct sock_address {
  struct sockaddr_storage storage;
  socklen_t length;
};

/* What an address says in words. `length` counts the bytes of `text`, which an abstract name may fill with any byte. */
struct sock_words {
  int family;
  char text[128];
  size_t length;
  uint32_t port;
};

/* Each returns >= 0, or -errno. */
int sock_address(int family, const char *text, size_t length, uint32_t port, struct sock_address *address);
int sock_open(int domain, int type, int protocol);
int sock_pair(int domain, int type, int32_t fds[2]);
int sock_bind(int fd, const struct sock_address *address);
int sock_connect(int fd, const struct sock_address *address);
int sock_listen(int fd, int backlog);
int sock_accept(int fd);
int sock_shutdown(int fd, int how);
int sock_set_option(int fd, int level, int name, const void *value, size_t length);
int sock_get_option(int fd, int level, int name, void *value, size_t length);
int sock_name(int fd, struct sock_words *words);
int sock_peer_name(int fd, struct sock_words *words);
int sock_unsent(int fd);

#endif
