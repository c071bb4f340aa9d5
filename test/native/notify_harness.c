/* notify.c: sockets that come and go while messages, with descriptors, come in; nothing is left, whoever ends first. */
#include "harness.h"
#include "notify.h"
#include "notify_queue.h"
#include "scm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SOCKETS 16

static void round_of(uint64_t *seed, int null)
{
  struct notify *notify;
  int senders[SOCKETS], receivers[SOCKETS], on = 1;
  int32_t fds[4] = {null, null, null, null};
  CHECK(notify_start(&notify) == 0);
  for (int i = 0; i < SOCKETS; i++) {
    int ends[2];
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    senders[i] = ends[0];
    receivers[i] = ends[1];
    CHECK(notify_add(notify, ends[1]) == 0);
  }
  for (int step = 0; step < 400; step++) {
    int i = (int)below(seed, SOCKETS);
    char text[5000];
    memset(text, 'x', sizeof text);
    switch (below(seed, 9)) {
    case 0:
      if (receivers[i] >= 0)
        CHECK(notify_remove(notify, receivers[i]) == 0);
      receivers[i] = -1;
      break;
    case 3:
      notify_hold(notify, below(seed, 2));
      break;
    case 1:
    case 2: {
      struct notify_message *message = notify_take(notify);
      if (message)
        CHECK(message->pid == getpid() && message->length <= NOTIFY_DATAGRAM_MAX);
      free(message);
      break;
    }
    default:
      scm_send(senders[i], text, below(seed, sizeof text), fds, below(seed, 5), NULL, 0);
    }
  }
  CHECK(notify_remove(notify, 1 << 20) == -ENOENT && notify_remove(notify, -1) == -ENOENT);
  notify_stop(notify);
  for (int i = 0; i < SOCKETS; i++)
    close(senders[i]);
}

/* What comes while it is held stays in the socket, also of a thread that is in the middle of a flood. */
static void held(void)
{
  struct notify *notify;
  struct notify_message *message;
  int ends[2], on = 1, waits;
  CHECK(notify_start(&notify) == 0);
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
  CHECK(notify_add(notify, ends[1]) == 0);
  for (int i = 0; i < 20; i++)
    scm_send(ends[0], "before", 6, NULL, 0, NULL, 0);
  while (!notify_hold(notify, true))
    usleep(100);
  while ((message = notify_take(notify)))
    free(message);
  scm_send(ends[0], "after", 5, NULL, 0, NULL, 0);
  usleep(20000);
  CHECK(notify_take(notify) == NULL);
  CHECK(ioctl(ends[1], FIONREAD, &waits) == 0 && waits > 0);
  notify_hold(notify, false);
  while (!(message = notify_take(notify)) || message->text[0] != 'a')
    free(message);
  free(message);
  notify_stop(notify);
  close(ends[0]);
}

int main(int argc, char **argv)
{
  uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  int before = open_fds();
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (int round = 0; round < 100; round++)
    round_of(&seed, null);
  held();
  close(null);
  for (int tries = 0; open_fds() != before && tries < 500; tries++)
    usleep(10000); /* the threads close what they have as they end */
  CHECK(open_fds() == before);
  puts("ok");
  return 0;
}
