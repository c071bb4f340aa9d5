/* What is kept, by key, in the order in which it came. */
#include "keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUCKETS 1024

static struct entry *buckets[BUCKETS];
static struct entry *first, *last;
static void (*on_remove)(struct entry *entry);

const char *entry_key(const struct entry *entry)
{
  return (const char *)&entry->fds[entry->count];
}

struct entry *table_first(void)
{
  return first;
}

void table_on_remove(void (*told)(struct entry *entry))
{
  on_remove = told;
}

/* FNV-1a. */
static size_t bucket_of(const uint8_t *key, size_t length)
{
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < length; i++)
    hash = (hash ^ key[i]) * 16777619u;
  return hash % BUCKETS;
}

static struct entry **place_of(const uint8_t *key, size_t length)
{
  struct entry **place = &buckets[bucket_of(key, length)];
  while (*place && ((*place)->key_length != length || memcmp(entry_key(*place), key, length) != 0))
    place = &(*place)->next_in_bucket;
  return place;
}

struct entry *table_find(const uint8_t *key, size_t length)
{
  return *place_of(key, length);
}

static void append(struct entry *entry)
{
  entry->previous = last;
  if (last)
    last->next = entry;
  else
    first = entry;
  last = entry;
}

static void drop(struct entry **place)
{
  struct entry *entry = *place;
  if (on_remove)
    on_remove(entry);
  *place = entry->next_in_bucket;
  if (entry->previous)
    entry->previous->next = entry->next;
  else
    first = entry->next;
  if (entry->next)
    entry->next->previous = entry->previous;
  else
    last = entry->previous;
  for (size_t i = 0; i < entry->count; i++)
    close(entry->fds[i]);
  free(entry);
}

bool table_delete(const uint8_t *key, size_t length)
{
  struct entry **place = place_of(key, length);
  if (!*place)
    return false;
  drop(place);
  return true;
}

/* Owns the descriptors from now on, unless it fails; what was under the key stays then. */
int table_put(const uint8_t *key, size_t length, const int *fds, size_t count)
{
  if (length == 0 || length > KEY_MAX || count == 0 || count > FDS_MAX)
    return -EINVAL;
  struct entry *entry = calloc(1, sizeof *entry + count * sizeof *fds + length);
  if (!entry)
    return -ENOMEM;
  entry->key_length = (uint16_t)length;
  entry->count = (uint16_t)count;
  memcpy(entry->fds, fds, count * sizeof *fds);
  memcpy(&entry->fds[count], key, length);
  table_delete(key, length);
  struct entry **bucket = &buckets[bucket_of(key, length)];
  entry->next_in_bucket = *bucket;
  *bucket = entry;
  append(entry);
  return 0;
}
