/*
 * The peer: a descriptor from s6-fdholderd by its own C library, connecting each time or not.
 * usage: s6 SOCKET ROUNDS live|connect
 */
#include <errno.h>
#include <s6/fdholder.h>
#include <skalibs/tai.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

struct client {
  const char *path;
  int live;
  int connected;
  s6_fdholder_t holder;
  tain deadline;
};

static void start(struct client *client)
{
  if (!client->connected && !s6_fdholder_start_g(&client->holder, client->path, &client->deadline))
    fail("s6_fdholder_start");
  client->connected = 1;
}

static void ask(void *state)
{
  struct client *client = state;
  start(client);
  int granted = s6_fdholder_retrieve_g(&client->holder, "web", &client->deadline);
  if (granted < 0)
    fail("s6_fdholder_retrieve");
  close(granted);
  if (client->live)
    return;
  s6_fdholder_end(&client->holder);
  client->connected = 0;
}

int main(int count, char **words)
{
  if (count < 4)
    return 100;
  s6_fdholder_t unconnected = S6_FDHOLDER_ZERO;
  struct client client = {.path = words[1], .live = strcmp(words[3], "live") == 0, .holder = unconnected};
  tain limit;
  tain_now_g();
  tain_addsec_g(&client.deadline, 1000);
  tain_addsec_g(&limit, 100000);
  start(&client);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  listen(listener, 128);
  if (!s6_fdholder_store_g(&client.holder, listener, "web", &limit, &client.deadline) && errno != EBUSY)
    fail("s6_fdholder_store");
  close(listener);
  if (!client.live) {
    s6_fdholder_end(&client.holder);
    client.connected = 0;
  }
  measure(atoi(words[2]), ask, NULL, &client);
}
