/*
 * A C client of fd-broker's protocol: acquire on a live connection (the release that follows is not timed), or connect,
 * hello, acquire and close (the broker then ends the lease). `hold` takes so many leases, says "held" and keeps them.
 * usage: client SOCKET ROUNDS live|connect|hold [NAME]
 */
#define _GNU_SOURCE
#include <stdint.h>

#include "packet.h"

struct client {
  const char *path;
  int socket;
  int live;
  uint64_t lease;
  unsigned char acquire[256];
  size_t acquire_length;
};

static unsigned char *put_text(unsigned char *at, const char *text)
{
  size_t length = strlen(text);
  if (length < 32) {
    *at++ = (unsigned char)(0xa0 | length);
  } else {
    *at++ = 0xd9;
    *at++ = (unsigned char)length;
  }
  memcpy(at, text, length);
  return at + length;
}

static unsigned char *put_head(unsigned char *at, int keys, int id, const char *op)
{
  *at++ = (unsigned char)(0x80 | keys);
  at = put_text(at, "id");
  *at++ = (unsigned char)id;
  at = put_text(at, "op");
  return put_text(at, op);
}

static uint64_t take_big_endian(const unsigned char *at, int size)
{
  uint64_t value = 0;
  while (size-- > 0)
    value = value << 8 | *at++;
  return value;
}

/* The value of an integer below a key that occurs once in the answer, which is one of ours. */
static uint64_t find_integer(const unsigned char *bytes, size_t length, const char *key)
{
  unsigned char wanted[32];
  size_t size = (size_t)(put_text(wanted, key) - wanted);
  const unsigned char *at = memmem(bytes, length, wanted, size);
  if (!at)
    return 0;
  at += size;
  return *at < 0x80 ? *at : take_big_endian(at + 1, 1 << (*at - 0xcc));
}

static void send_packet(int socket, const unsigned char *bytes, const unsigned char *end)
{
  if (send(socket, bytes, (size_t)(end - bytes), MSG_NOSIGNAL) < 0)
    fail("send");
}

/* An answer that is ok; answers the lease in it. */
static uint64_t receive_ok(int socket, int *fd)
{
  static const unsigned char ok[] = {0xa2, 'o', 'k', 0xc3};
  unsigned char bytes[4096];
  ssize_t length = packet_receive(socket, bytes, sizeof bytes, fd);
  if (length <= 0)
    fail("recvmsg");
  if (!memmem(bytes, (size_t)length, ok, sizeof ok)) {
    fprintf(stderr, "refused: %.*s\n", (int)length, (char *)bytes);
    exit(1);
  }
  return find_integer(bytes, (size_t)length, "lease");
}

static void send_hello(int socket)
{
  unsigned char bytes[64], *end = put_head(bytes, 3, 1, "hello");
  end = put_text(end, "version");
  *end++ = 1;
  send_packet(socket, bytes, end);
}

static void ask(void *state)
{
  struct client *client = state;
  int fd;
  int fresh = client->socket < 0;
  if (fresh) {
    client->socket = packet_connect(client->path);
    send_hello(client->socket);
  }
  send_packet(client->socket, client->acquire, client->acquire + client->acquire_length);
  if (fresh)
    receive_ok(client->socket, &fd);
  client->lease = receive_ok(client->socket, &fd);
  if (fd < 0)
    fail("no descriptor");
  close(fd);
  if (client->live)
    return;
  close(client->socket);
  client->socket = -1;
}

static void give_back(void *state)
{
  struct client *client = state;
  unsigned char bytes[64], *end = put_head(bytes, 3, 3, "release");
  int fd;
  end = put_text(end, "lease");
  *end++ = 0xcf;
  for (int shift = 56; shift >= 0; shift -= 8)
    *end++ = (unsigned char)(client->lease >> shift);
  send_packet(client->socket, bytes, end);
  receive_ok(client->socket, &fd);
}

int main(int count, char **words)
{
  if (count < 4)
    return 100;
  struct client client = {.path = words[1], .socket = -1, .live = strcmp(words[3], "connect") != 0};
  unsigned char *end = put_head(client.acquire, 3, 2, "acquire");
  end = put_text(end, "name");
  end = put_text(end, count > 4 ? words[4] : "web");
  client.acquire_length = (size_t)(end - client.acquire);
  if (strcmp(words[3], "hold") == 0) {
    for (int i = atoi(words[2]); i > 0; i--)
      ask(&client);
    puts("held");
    fflush(stdout);
    pause();
  }
  measure(atoi(words[2]), ask, client.live ? give_back : NULL, &client);
}
