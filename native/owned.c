#include "owned.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BITS = 64, FEWEST_WORDS = 16 };

static uint64_t bit(int fd)
{
  return UINT64_C(1) << (fd % BITS);
}

/* The kernel gives the lowest number that is free, so the table is about as long as the process's own. */
static int make_room(struct owned *owned, size_t word)
{
  size_t count = owned->count ? owned->count : FEWEST_WORDS;
  while (count <= word)
    count *= 2;
  uint64_t *words = realloc(owned->words, count * sizeof *words);
  if (!words)
    return 0;
  memset(words + owned->count, 0, (count - owned->count) * sizeof *words);
  owned->words = words;
  owned->count = count;
  return 1;
}

void owned_add(struct owned *owned, int fd)
{
  if (fd < 0)
    return;
  size_t word = (size_t)fd / BITS;
  if (word < owned->count || make_room(owned, word))
    owned->words[word] |= bit(fd);
}

void owned_remove(struct owned *owned, int fd)
{
  if (fd >= 0 && (size_t)fd / BITS < owned->count)
    owned->words[fd / BITS] &= ~bit(fd);
}

void owned_close_all(struct owned *owned)
{
  for (size_t word = 0; word < owned->count; word++) {
    for (uint64_t left = owned->words[word]; left; left &= left - 1)
      close((int)(word * BITS) + __builtin_ctzll(left));
  }
  owned_forget_all(owned);
}

void owned_forget_all(struct owned *owned)
{
  free(owned->words);
  *owned = (struct owned){0};
}
