/*
 * The least that a grant can cost: a C server that answers 60 bytes with 120 bytes and a descriptor, and its C client.
 * usage: floor ROUNDS live|connect
 */
#define _GNU_SOURCE
#include "packet.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#define QUESTION 60
#define ANSWER 120

static void answer(int peer, int granted)
{
  char bytes[256];
  int stray;
  if (packet_receive(peer, bytes, sizeof bytes, &stray) <= 0) {
    close(peer);
    return;
  }
  char text[ANSWER] = {0}, control[CMSG_SPACE(sizeof granted)] = {0};
  struct iovec part = {text, sizeof text};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof granted);
  memcpy(CMSG_DATA(header), &granted, sizeof granted);
  sendmsg(peer, &message, MSG_NOSIGNAL);
}

static void serve(int listener, int granted)
{
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event interest = {.events = EPOLLIN, .data.fd = listener}, ready[64];
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &interest);
  for (;;) {
    int count = epoll_wait(epoll, ready, 64, -1);
    for (int i = 0; i < count; i++) {
      if (ready[i].data.fd != listener) {
        answer(ready[i].data.fd, granted);
        continue;
      }
      interest.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
      epoll_ctl(epoll, EPOLL_CTL_ADD, interest.data.fd, &interest);
    }
  }
}

struct client {
  const char *path;
  int socket;
  int live;
};

static void ask(void *state)
{
  struct client *client = state;
  char question[QUESTION] = {0}, bytes[256];
  int granted;
  if (client->socket < 0)
    client->socket = packet_connect(client->path);
  send(client->socket, question, sizeof question, MSG_NOSIGNAL);
  if (packet_receive(client->socket, bytes, sizeof bytes, &granted) <= 0 || granted < 0)
    fail("no descriptor");
  close(granted);
  if (client->live)
    return;
  close(client->socket);
  client->socket = -1;
}

int main(int count, char **words)
{
  if (count < 3)
    return 100;
  char path[64];
  snprintf(path, sizeof path, "/tmp/fd-broker-floor-%d", (int)getpid());
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0)
    fail("bind");
  int granted = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  listen(granted, 128);
  pid_t server = fork();
  if (server == 0)
    serve(listener, granted);
  struct client client = {path, -1, strcmp(words[2], "live") == 0};
  measure(atoi(words[1]), ask, NULL, &client);
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  unlink(path);
}
