/*
 * The keeper: holds descriptors under string keys, starts the broker, and starts it again when it dies. It hears only the broker,
 * on a SEQPACKET socketpair; nothing that a worker sends reaches it. Functions answer a number >= 0, or -errno.
 *
 * A packet is one byte, which says what it is, and what belongs to it; descriptors go along.
 */
#ifndef FD_BROKER_KEEPER_H
#define FD_BROKER_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* `.listen/N/FDNAME` is the longest: systemd's names have up to 255 bytes. */
#define KEY_MAX 288
#define PACKET_MAX 1024
/* SCM_MAX_FD of the kernel. */
#define FDS_MAX 253
/* Of the layout in which a keeper hands its table to the one that it becomes. */
#define STATE_VERSION 1

/* From the broker; those of an upgrade that a candidate sends are marked so. */
enum {
  OP_PUT = 'P',      /* key + descriptors: kept instead of what is under that key */
  OP_DELETE = 'D',   /* key */
  OP_GET = 'G',      /* answered by a KEPT for each key, and an END */
  OP_LOCK = 'L',     /* key: the keeper takes the POSIX lock of that file; answered by LOCKED */
  OP_SERVING = 'S',  /* it serves: from now on its death is answered by another start */
  OP_ENDING = 'X',   /* it ends by itself, and the keeper with it */
  OP_UPGRADE = 'U',  /* start what is installed now */
  OP_PREPARED = 'p', /* candidate: loaded, touches nothing yet; the path of its keeper, NUL and its version follow */
  OP_FROZEN = 'z',   /* answers no request any more: the candidate may take over */
  OP_READY = 'r',    /* candidate: has taken everything, and serves as soon as it is told to */
  OP_ABORT = 'A',    /* end the candidate; answered by FAILED */
  OP_REFUSE = 'n',   /* candidate: cannot take over; why follows */
};

/* To the broker; PREPARED, with int32 pid and the version, goes to the one that asked for the upgrade. */
enum {
  OP_HELLO = 'H',   /* struct hello; the first packet */
  OP_KEPT = 'K',    /* key, with its descriptors */
  OP_END = 'E',     /* that was the last one */
  OP_LOCKED = 'l',  /* int32: 0 or -errno; int32: the pid that has the lock */
  OP_FAULT = 'R',   /* int32: errno; key: it could not be kept */
  OP_SIGNAL = 's',  /* int32: a signal that the keeper was sent */
  OP_FAILED = 'f',  /* the upgrade failed; why follows */
  OP_TAKE = 't',    /* to the candidate: take over now; a byte that is not 0: what it was given and told of since is all there is */
  OP_GONE = 'g',    /* to a candidate that was given everything: key; a KEPT tells of what is put */
  OP_COMMIT = 'c',  /* to both: the candidate is the broker from now on */
};

enum role { ROLE_FIRST, ROLE_AGAIN, ROLE_CANDIDATE };

struct hello {
  int32_t role;
  /* Of the broker before, as of wait(2). */
  int32_t last_pid;
  int32_t last_status;
  int32_t deaths;
};

struct entry {
  struct entry *next_in_bucket;
  struct entry *next, *previous;
  uint16_t key_length, count;
  /* `count` descriptors, then the key. */
  int fds[];
};

/* One process of the broker's program. */
struct child {
  pid_t pid;
  int fd;
  /* The next entry to be sent to it. */
  struct entry *cursor;
  bool getting;
  /* A candidate that was given everything hears of what changes; until something could not be sent. */
  bool following;
  /* It has said that it serves, and hears signals. */
  bool serving;
  bool ending;
  /* The last that it was sent; and it ended before it had read all that it was sent. */
  int32_t told_signal;
  bool unheard;
  int64_t started;
};

struct packet {
  uint8_t bytes[PACKET_MAX];
  size_t length;
  int fds[FDS_MAX];
  size_t count;
  bool truncated;
  /* Some descriptors did not arrive: the table of this process is full. */
  bool fds_lost;
};

struct keeper {
  char **argv; /* the keeper itself, the program and its arguments */
  struct child broker, candidate, retiring;
  bool served, prepared, frozen;
  /* Asked for while a process of the last upgrade was still there. */
  bool upgrade_due;
  /* The candidate may take over, and has not been told. */
  bool take_due;
  /* Paths: the candidate's, and what this keeper becomes as soon as it can. */
  char prepared_keeper[PACKET_MAX], next_keeper[PACKET_MAX];
  char locked[KEY_MAX];
  size_t locked_length;
  int32_t deaths, last_pid, last_status;
  int stop_signal;
  /* Signals, as bits, for the next broker that serves. */
  uint64_t waiting_signals;
  /* Without a broker: when the next one is started. */
  int64_t start_at;
};

/* keeper_table.c */
int table_put(const uint8_t *key, size_t length, const int *fds, size_t count);
bool table_delete(const uint8_t *key, size_t length);
struct entry *table_find(const uint8_t *key, size_t length);
struct entry *table_first(void);
const char *entry_key(const struct entry *entry);
/* Told of an entry before it goes. */
void table_on_remove(void (*told)(struct entry *entry));

/* keeper_wire.c */
int wire_receive(int fd, struct packet *packet);
int wire_send(int fd, int op, const void *bytes, size_t length, const int *fds, size_t count);
void wire_close_all(struct packet *packet);

/* keeper_child.c */
int child_spawn(struct child *child, char **argv, const struct hello *hello);
void child_kill(struct child *child);
/* Sends what is due to a child that asked for everything. 0 when done, -EAGAIN when its socket is full. */
int child_send_kept(struct child *child);
/* Tells a child that follows of an entry. */
void child_follow(struct child *child, int op, const uint8_t *key, size_t length, const struct entry *entry);
/* How one ended, in words. */
void child_describe(int status, char *text, size_t size);
int64_t now_ms(void);

/* keeper_serve.c */
void serve_packets(struct keeper *keeper, struct child *child);
void serve_upgrade_failed(struct keeper *keeper, const char *why);
/* Starts the candidate that is due, once no process of the last upgrade is there. */
void serve_upgrade_due(struct keeper *keeper);
/* Tells the candidate to take over, when it is due. -EAGAIN when its socket is full. */
int serve_take_due(struct keeper *keeper);

/* keeper_life.c */
void life_start(struct keeper *keeper);
void life_reap(struct keeper *keeper);
_Noreturn void life_end(struct keeper *keeper, int status);

/* keeper_exec.c: over execve(2) and back */
bool exec_is_due(const struct keeper *keeper);
void exec_next(struct keeper *keeper);
int exec_resume(struct keeper *keeper, int state);

/* keeper_signals.c */
void signals_pass_on(struct keeper *keeper, int32_t signal);
/* Hands over those that waited. */
void signals_hand_over(struct keeper *keeper);
/* The broker has died: what it may not have heard waits for the next. */
void signals_outlive(struct keeper *keeper, const struct child *was);

/* keeper_rights.c */
void rights_drop(void);
void rights_raise_limit(void);

void say(const char *text, const char *more);

#endif
