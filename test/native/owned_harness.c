/* owned.c: any numbers in any order, compared with a plain list of what is owned. */
#include "harness.h"
#include "owned.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NUMBERS = 2000 };

static bool is_open(int fd)
{
  return fcntl(fd, F_GETFD) >= 0;
}

/* Numbers that nobody else has are all open; those that are owned at the end are closed by it, and no other. */
static void closes_what_is_owned(uint64_t *seed, int first)
{
  static bool owns[NUMBERS];
  struct owned owned = {0};
  for (int at = 0; at < NUMBERS; at++) {
    CHECK(dup2(STDERR_FILENO, first + at) == first + at);
    owns[at] = false;
  }
  for (int step = 0; step < 4 * NUMBERS; step++) {
    int at = (int)below(seed, NUMBERS);
    owns[at] = below(seed, 3) > 0;
    if (owns[at])
      owned_add(&owned, first + at);
    else
      owned_remove(&owned, first + at);
  }
  owned_close_all(&owned);
  for (int at = 0; at < NUMBERS; at++) {
    CHECK(is_open(first + at) == !owns[at]);
    close(first + at);
  }
  CHECK(owned.words == NULL && owned.count == 0);
}

static void takes_any_number(void)
{
  struct owned owned = {0};
  static const int none[] = {-1, -9, INT32_MIN};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
    owned_add(&owned, none[i]);
    owned_remove(&owned, none[i]);
  }
  owned_remove(&owned, INT32_MAX);
  CHECK(owned.words == NULL);
  owned_add(&owned, INT32_MAX);
  owned_add(&owned, INT32_MAX);
  owned_remove(&owned, INT32_MAX);
  owned_close_all(&owned);
  owned_close_all(&owned);
}

static void forgets(void)
{
  struct owned owned = {0};
  int fd = dup(STDERR_FILENO);
  owned_add(&owned, fd);
  owned_forget_all(&owned);
  CHECK(is_open(fd));
  owned_close_all(&owned);
  CHECK(is_open(fd));
  close(fd);
}

int main(int argc, char **argv)
{
  uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  int before = open_fds();
  takes_any_number();
  forgets();
  for (int first = 1000; first < 2500; first += 61)
    closes_what_is_owned(&seed, first);
  CHECK(open_fds() == before);
  puts("ok");
  return 0;
}
