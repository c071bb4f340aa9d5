#ifndef FD_BROKER_EXEC_H
#define FD_BROKER_EXEC_H

#include <stddef.h>
#include <stdint.h>
#include <termios.h>

/* Descriptors 0 to 2 as a program found them at its start. */
struct exec_stdio {
  int32_t copies[3]; /* descriptors, or -1: libuv puts another open file description of a terminal in its place */
  int32_t flags[3];  /* F_GETFL, or -1 */
  int32_t terminal[3];
  struct termios modes[3];
};

/* What a program was started with, of what Node changes. Bit n - 1 of a set is signal n, as in /proc/PID/status. */
struct exec_start {
  uint64_t soft_limit; /* RLIMIT_NOFILE; 0 = unknown */
  uint64_t ignored;
  uint64_t blocked;
  uint64_t closed; /* bit n: descriptor n, of 0 to 2, was not open */
};

struct exec_plan {
  char *const *argv;
  const int32_t *fds;
  size_t count;
  int first; /* fds[0] becomes this number, fds[1] the next one, … */
  struct exec_start start;
  const struct exec_stdio *stdio;
};

/* Opens the copies, close-on-exec. */
void exec_note_stdio(struct exec_stdio *stdio);
void exec_reset_signals(uint64_t ignored);
/* Becomes the program, or ends: 127 when there is none, 126 when it cannot be run. Never returns. */
_Noreturn void exec_replace(const struct exec_plan *plan);

#endif
