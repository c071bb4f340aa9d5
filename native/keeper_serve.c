/* What each packet of a broker, or of the candidate of an upgrade, makes the keeper do. */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum sender { FROM_BROKER = 1, FROM_CANDIDATE = 2 };

static void fault(struct child *child, int error, const uint8_t *key, size_t length)
{
  uint8_t bytes[sizeof(int32_t) + KEY_MAX];
  int32_t number = error;
  size_t most = length < KEY_MAX ? length : KEY_MAX;
  memcpy(bytes, &number, sizeof number);
  memcpy(bytes + sizeof number, key, most);
  wire_send(child->fd, OP_FAULT, bytes, sizeof number + most, NULL, 0);
}

static int lock(const struct entry *entry, pid_t *holder)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  *holder = 0;
  if (fcntl(entry->fds[0], F_SETLK, &lock) == 0)
    return 0;
  int error = errno;
  if (fcntl(entry->fds[0], F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
    *holder = lock.l_pid;
  return -error;
}

/* Closing any descriptor of the file gives a POSIX lock up (fcntl(2)), so it is taken again after each. */
static void lock_again(struct keeper *keeper)
{
  pid_t holder;
  struct entry *entry = keeper->locked_length ? table_find((uint8_t *)keeper->locked, keeper->locked_length) : NULL;
  if (entry)
    lock(entry, &holder);
}

static void on_put(struct keeper *keeper, struct child *child, struct packet *packet)
{
  const uint8_t *key = packet->bytes + 1;
  size_t length = packet->length - 1;
  int status = packet->fds_lost ? -EMFILE : table_put(key, length, packet->fds, packet->count);
  if (status < 0)
    return fault(child, -status, key, length);
  packet->count = 0;
  child_follow(&keeper->candidate, OP_KEPT, key, length, table_find(key, length));
  lock_again(keeper);
}

static void on_delete(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)child;
  if (table_delete(packet->bytes + 1, packet->length - 1))
    child_follow(&keeper->candidate, OP_GONE, packet->bytes + 1, packet->length - 1, NULL);
  lock_again(keeper);
}

static void on_get(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)packet;
  child->getting = true;
  child->following = child == &keeper->candidate;
  child->cursor = table_first();
}

static void on_lock(struct keeper *keeper, struct child *child, struct packet *packet)
{
  int32_t answer[2] = {-ENOENT, 0};
  struct entry *entry = table_find(packet->bytes + 1, packet->length - 1);
  if (entry) {
    pid_t holder;
    answer[0] = lock(entry, &holder);
    answer[1] = holder;
  }
  if (entry && answer[0] == 0) {
    keeper->locked_length = packet->length - 1;
    memcpy(keeper->locked, packet->bytes + 1, keeper->locked_length);
  }
  wire_send(child->fd, OP_LOCKED, answer, sizeof answer, NULL, 0);
}

static void on_serving(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)packet;
  keeper->served = child->serving = true;
  signals_hand_over(keeper);
}

static void on_ending(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)keeper;
  (void)packet;
  child->ending = true;
}

static void tell_failed(struct keeper *keeper, const char *why)
{
  wire_send(keeper->broker.fd, OP_FAILED, why, strlen(why), NULL, 0);
}

void serve_upgrade_failed(struct keeper *keeper, const char *why)
{
  keeper->prepared = keeper->frozen = keeper->upgrade_due = keeper->take_due = false;
  tell_failed(keeper, why);
}

int serve_take_due(struct keeper *keeper)
{
  struct child *candidate = &keeper->candidate;
  if (!keeper->take_due)
    return 0;
  uint8_t current = candidate->following && !candidate->getting;
  int status = candidate->pid > 0 ? wire_send(candidate->fd, OP_TAKE, &current, sizeof current, NULL, 0) : 0;
  keeper->take_due = status == -EAGAIN;
  return status;
}

void serve_upgrade_due(struct keeper *keeper)
{
  struct hello hello = {.role = ROLE_CANDIDATE, .last_pid = keeper->broker.pid, .deaths = keeper->deaths};
  if (!keeper->upgrade_due || keeper->candidate.pid > 0 || keeper->retiring.pid > 0)
    return;
  keeper->upgrade_due = false;
  int status = child_spawn(&keeper->candidate, keeper->argv + 1, &hello);
  if (status < 0)
    serve_upgrade_failed(keeper, strerror(-status));
}

static void on_upgrade(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)child;
  (void)packet;
  if (keeper->upgrade_due || (keeper->candidate.pid > 0 && !keeper->candidate.ending))
    return tell_failed(keeper, "another upgrade is under way: wait for its end");
  keeper->upgrade_due = true;
  serve_upgrade_due(keeper);
}

static void on_prepared(struct keeper *keeper, struct child *child, struct packet *packet)
{
  uint8_t told[sizeof(int32_t) + PACKET_MAX];
  int32_t pid = child->pid;
  const char *path = (const char *)packet->bytes + 1;
  size_t length = packet->length - 1, path_length = strnlen(path, length);
  size_t skipped = path_length < length ? path_length + 1 : length;
  memcpy(keeper->prepared_keeper, path, path_length);
  keeper->prepared_keeper[path_length] = '\0';
  keeper->prepared = true;
  memcpy(told, &pid, sizeof pid);
  memcpy(told + sizeof pid, path + skipped, length - skipped);
  wire_send(keeper->broker.fd, OP_PREPARED, told, sizeof pid + length - skipped, NULL, 0);
}

static void on_frozen(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)child;
  (void)packet;
  if (!keeper->prepared || keeper->candidate.pid <= 0)
    return;
  keeper->frozen = keeper->take_due = true;
  serve_take_due(keeper);
}

/* Its death is told as it comes; what it still says counts no more. */
static void end_candidate(struct keeper *keeper, const char *why)
{
  if (keeper->upgrade_due)
    return serve_upgrade_failed(keeper, why);
  if (keeper->candidate.pid <= 0 || keeper->candidate.ending)
    return;
  keeper->candidate.ending = true;
  keeper->candidate.getting = false;
  child_kill(&keeper->candidate);
  serve_upgrade_failed(keeper, why);
}

/* The candidate has had no effect on anything up to here; from here on the former broker has none. */
static void on_ready(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)packet;
  if (!keeper->frozen)
    return;
  /* The broker was told, and the candidate would not hear of it. */
  if (keeper->stop_signal)
    return end_candidate(keeper, "the broker was told to stop");
  keeper->prepared = keeper->frozen = false;
  memcpy(keeper->next_keeper, keeper->prepared_keeper, sizeof keeper->next_keeper);
  wire_send(keeper->broker.fd, OP_COMMIT, NULL, 0, NULL, 0);
  wire_send(child->fd, OP_COMMIT, NULL, 0, NULL, 0);
  keeper->retiring = keeper->broker;
  keeper->retiring.getting = false;
  keeper->retiring.started = now_ms();
  keeper->broker = keeper->candidate;
  keeper->candidate = (struct child){.fd = -1};
}

static void on_abort(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)child;
  (void)packet;
  end_candidate(keeper, "");
}

static void on_refuse(struct keeper *keeper, struct child *child, struct packet *packet)
{
  (void)child;
  char why[PACKET_MAX];
  size_t length = packet->length - 1;
  memcpy(why, packet->bytes + 1, length);
  why[length] = '\0';
  end_candidate(keeper, why);
}

static const struct {
  uint8_t op;
  int from;
  void (*act)(struct keeper *keeper, struct child *child, struct packet *packet);
} acts[] = {
  {OP_PUT, FROM_BROKER, on_put}, {OP_DELETE, FROM_BROKER, on_delete},
  {OP_GET, FROM_BROKER | FROM_CANDIDATE, on_get}, {OP_LOCK, FROM_BROKER, on_lock},
  {OP_SERVING, FROM_BROKER, on_serving}, {OP_ENDING, FROM_BROKER, on_ending},
  {OP_UPGRADE, FROM_BROKER, on_upgrade}, {OP_FROZEN, FROM_BROKER, on_frozen},
  {OP_ABORT, FROM_BROKER, on_abort}, {OP_PREPARED, FROM_CANDIDATE, on_prepared},
  {OP_READY, FROM_CANDIDATE, on_ready}, {OP_REFUSE, FROM_CANDIDATE, on_refuse},
};

static void serve_packet(struct keeper *keeper, struct child *child, struct packet *packet)
{
  int from = child == &keeper->broker ? FROM_BROKER : child == &keeper->candidate && !child->ending ? FROM_CANDIDATE : 0;
  if (packet->truncated)
    return fault(child, EMSGSIZE, packet->bytes, 0);
  for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
    if (acts[i].op == packet->bytes[0] && acts[i].from & from)
      return acts[i].act(keeper, child, packet);
  }
  if (from)
    fault(child, EOPNOTSUPP, packet->bytes, 1);
}

/* All that is there, so that what a broker said before its death counts. */
void serve_packets(struct keeper *keeper, struct child *child)
{
  static struct packet packet;
  pid_t pid = child->pid;
  while (child->fd >= 0 && child->pid == pid) {
    int status = wire_receive(child->fd, &packet);
    if (status == -EINTR)
      continue;
    /* Once, before what it said (unix_release_sock() of the kernel): it has ended, and had not read all. */
    if (status == -ECONNRESET) {
      child->unheard = true;
      continue;
    }
    if (status == -EAGAIN)
      return;
    if (status > 0)
      serve_packet(keeper, child, &packet);
    wire_close_all(&packet);
    /* An empty packet is told from the end by nothing; a broker sends none. */
    if (status <= 0) {
      close(child->fd);
      child->fd = -1;
    }
  }
}
