/* Marshals audit.c and watch.c. */
#include "addon.h"
#include "audit.h"
#include "watch.h"

#include <string.h>

static bool take_words(napi_env env, napi_value value, void **words, size_t *count)
{
  napi_typedarray_type type;
  if (napi_get_typedarray_info(env, value, &type, count, words, NULL, NULL) == napi_ok && type == napi_int32_array)
    return true;
  napi_throw_type_error(env, NULL, "an Int32Array is due");
  return false;
}

/* audit(fd, rows, expected, found): fills `found`, and answers 0 when that is what was expected, else 1. */
static napi_value js_audit(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  int32_t fd;
  void *rows, *expected, *found;
  size_t words, expected_length, length;
  if (!addon_args(env, info, values, 4) || !addon_int(env, values[0], &fd) ||
      !take_words(env, values[1], &rows, &words) || !addon_bytes(env, values[2], &expected, &expected_length) ||
      !addon_bytes(env, values[3], &found, &length))
    return NULL;
  int filled = audit_read(fd, rows, words / (sizeof(struct audit_row) / sizeof(int32_t)), found, length);
  if (filled < 0)
    return addon_number(env, filled);
  bool same = expected_length >= (size_t)filled && memcmp(expected, found, (size_t)filled) == 0;
  return addon_number(env, !same);
}

static napi_value js_watch_open(napi_env env, napi_callback_info info)
{
  (void)info;
  return addon_number(env, watch_open());
}

static napi_value js_watch_add(napi_env env, napi_callback_info info)
{
  int32_t a[2];
  return addon_ints(env, info, a, 2) ? addon_number(env, watch_add(a[0], a[1])) : NULL;
}

static napi_value js_watch_remove(napi_env env, napi_callback_info info)
{
  int32_t a[2];
  return addon_ints(env, info, a, 2) ? addon_number(env, watch_remove(a[0], a[1])) : NULL;
}

static napi_value js_watch_take(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  int32_t watch;
  void *fds;
  size_t most;
  if (!addon_args(env, info, values, 2) || !addon_int(env, values[0], &watch) ||
      !take_words(env, values[1], &fds, &most))
    return NULL;
  return addon_number(env, watch_take(watch, fds, most));
}

void addon_add_guard(napi_env env, napi_value exports)
{
  napi_set_named_property(env, exports, "socketOptions", addon_socket_options(env));
  addon_method(env, exports, "audit", js_audit);
  addon_method(env, exports, "watchOpen", js_watch_open);
  addon_method(env, exports, "watchAdd", js_watch_add);
  addon_method(env, exports, "watchRemove", js_watch_remove);
  addon_method(env, exports, "watchTake", js_watch_take);
}
