/* Round trips timed one by one, reported as one line of JSON. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double measure_now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static inline int measure_order(const void *left, const void *right)
{
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

/* Calls once(state) for each round, the first tenth of which only warms up, and prints what the rest took. */
static inline void measure(int rounds, void (*once)(void *), void (*between)(void *), void *state)
{
  int warm = rounds / 10;
  double *took = malloc(sizeof *took * (size_t)rounds);
  double total = 0;
  for (int i = -warm; i < rounds; i++) {
    double start = measure_now();
    once(state);
    double end = measure_now();
    if (between)
      between(state);
    if (i < 0)
      continue;
    took[i] = end - start;
    total += took[i];
  }
  qsort(took, (size_t)rounds, sizeof *took, measure_order);
  printf("{\"rounds\":%d,\"p50\":%.3f,\"p99\":%.3f,\"rate\":%.0f}\n", rounds, took[rounds / 2] * 1e6,
         took[(long)rounds * 99 / 100] * 1e6, rounds / total);
  free(took);
}

static inline void fail(const char *what)
{
  perror(what);
  exit(1);
}

#endif
