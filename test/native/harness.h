/* What the harnesses share: a check that says where it failed, and the number of open descriptors. */
#ifndef FD_BROKER_HARNESS_H
#define FD_BROKER_HARNESS_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) {                                                           \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);     \
      exit(1);                                                                    \
    }                                                                             \
  } while (0)

static inline int open_fds(void)
{
  int count = 0;
  DIR *directory = opendir("/proc/self/fd");
  while (readdir(directory))
    count++;
  closedir(directory);
  return count;
}

/* xorshift64: the same numbers for the same seed. */
static inline uint32_t below(uint64_t *state, uint32_t end)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (uint32_t)(*state >> 32) % end;
}

#endif
