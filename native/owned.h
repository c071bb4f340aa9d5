#ifndef FD_BROKER_OWNED_H
#define FD_BROKER_OWNED_H

#include <stddef.h>
#include <stdint.h>

/* The descriptors of one owner: a bit for each number. All zero is none. For one thread at a time. */
struct owned {
  uint64_t *words;
  size_t count;
};

/* One for whose bit there is no memory stays out: it is never closed here. */
void owned_add(struct owned *owned, int fd);
/* Before the number is closed or given away: from then on it may be anybody's. */
void owned_remove(struct owned *owned, int fd);
/* Each leaves none. */
void owned_close_all(struct owned *owned);
void owned_forget_all(struct owned *owned);

#endif
