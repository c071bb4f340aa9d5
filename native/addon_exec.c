/* execve(2) for JavaScript. Arguments and environment are bytes: neither need be UTF-8. */
#include "addon.h"
#include "exec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Fills the caller's bytes, and answers how many there are. */
static napi_value js_note_stdio(napi_env env, napi_callback_info info)
{
  napi_value value;
  void *bytes;
  size_t length;
  if (!addon_args(env, info, &value, 1) || !addon_bytes(env, value, &bytes, &length))
    return NULL;
  if (length < sizeof(struct exec_stdio))
    return addon_number(env, -EINVAL);
  struct exec_stdio stdio;
  exec_note_stdio(&stdio);
  memcpy(bytes, &stdio, sizeof stdio);
  return addon_number(env, sizeof stdio);
}

static bool take_sets(napi_env env, napi_value value, struct exec_start *start)
{
  uint64_t *words;
  if (!addon_words(env, value, napi_biguint64_array, sizeof *start / sizeof(uint64_t), (void **)&words))
    return false;
  memcpy(start, words, sizeof *start);
  if (start->soft_limit == UINT64_MAX)
    start->soft_limit = RLIM_INFINITY;
  return true;
}

static napi_value js_reset_signals(napi_env env, napi_callback_info info)
{
  napi_value value;
  struct exec_start start;
  if (addon_args(env, info, &value, 1) && take_sets(env, value, &start))
    exec_reset_signals(start.ignored);
  return NULL;
}

/* Strings that each end in NUL, as a vector. NULL when the bytes are none. */
static char **split(char *bytes, size_t length)
{
  if (length == 0 || bytes[length - 1] != '\0')
    return NULL;
  size_t count = 0;
  for (size_t i = 0; i < length; i++)
    count += bytes[i] == '\0';
  char **words = calloc(count + 1, sizeof *words);
  for (size_t i = 0; words && i < count; i++) {
    words[i] = bytes;
    bytes += strlen(bytes) + 1;
  }
  return words;
}

/* `NAME` goes, `NAME=VALUE` is set; all else stays as it is, byte by byte. */
static void change_environment(char **changes)
{
  for (char **change = changes; change && *change; change++) {
    if (strchr(*change, '='))
      putenv(*change);
    else
      unsetenv(*change);
  }
}

/* execReplace(argv, changes, fds, first, start, stdio): returns only when the arguments are wrong. */
static napi_value js_exec_replace(napi_env env, napi_callback_info info)
{
  napi_value values[6];
  char *argv, *changes;
  size_t argv_length, changes_length, stdio_length;
  void *stdio;
  int32_t first;
  struct exec_plan plan = {0};
  napi_typedarray_type type;
  if (!addon_args(env, info, values, 6) || !addon_bytes(env, values[0], (void **)&argv, &argv_length) ||
      !addon_bytes(env, values[1], (void **)&changes, &changes_length) ||
      napi_get_typedarray_info(env, values[2], &type, &plan.count, (void **)&plan.fds, NULL, NULL) != napi_ok ||
      type != napi_int32_array || !addon_int(env, values[3], &first) || !take_sets(env, values[4], &plan.start) ||
      !addon_bytes(env, values[5], &stdio, &stdio_length))
    return NULL;
  struct exec_stdio noted;
  char **words = split(argv, argv_length);
  if (!words || stdio_length < sizeof noted || first < 0)
    return addon_number(env, -EINVAL);
  memcpy(&noted, stdio, sizeof noted);
  plan.argv = words;
  plan.first = first;
  plan.stdio = &noted;
  change_environment(split(changes, changes_length));
  exec_replace(&plan);
}

void addon_add_exec(napi_env env, napi_value exports)
{
  addon_method(env, exports, "noteStdio", js_note_stdio);
  addon_method(env, exports, "resetSignals", js_reset_signals);
  addon_method(env, exports, "execReplace", js_exec_replace);
}
