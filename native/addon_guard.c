/* Marshals audit.c, filter_probe.c, md5_diag.c and watch.c. */
#include "addon.h"
#include "audit.h"
#include "diag.h"
#include "filter_probe.h"
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
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

static napi_value js_remove_md5(napi_env env, napi_callback_info info)
{
  napi_value value;
  int32_t fd;
  if (!addon_args(env, info, &value, 1) || !addon_int(env, value, &fd))
    return NULL;
  return addon_number(env, md5_remove(fd));
}

static napi_value js_filter_probe(napi_env env, napi_callback_info info)
{
  (void)info;
  return addon_number(env, filter_probe());
}

struct handle {
  struct watch *watch;
};

static void stop(struct handle *handle)
{
  if (handle->watch)
    watch_stop(handle->watch);
  handle->watch = NULL;
}

static void on_collected(napi_env env, void *data, void *hint)
{
  (void)env;
  (void)hint;
  stop(data);
  free(data);
}

static napi_value js_watch_start(napi_env env, napi_callback_info info)
{
  (void)info;
  napi_value external;
  struct handle *handle = calloc(1, sizeof *handle);
  int status = handle ? watch_start(&handle->watch) : -ENOMEM;
  if (status == 0 && napi_create_external(env, handle, on_collected, NULL, &external) == napi_ok)
    return external;
  if (handle)
    stop(handle);
  free(handle);
  return addon_number(env, status < 0 ? status : -ENOMEM);
}

/* The watch that is the first of `count` arguments, all of which are in `values`. */
static struct watch *take_watch(napi_env env, napi_callback_info info, napi_value *values, size_t count)
{
  struct handle *handle;
  if (!addon_args(env, info, values, count))
    return NULL;
  if (napi_get_value_external(env, values[0], (void **)&handle) == napi_ok && handle->watch)
    return handle->watch;
  napi_throw_type_error(env, NULL, "not a watch, or a stopped one");
  return NULL;
}

static napi_value js_watch_wake_fd(napi_env env, napi_callback_info info)
{
  napi_value values[1];
  struct watch *watch = take_watch(env, info, values, 1);
  return watch ? addon_number(env, watch_wake_fd(watch)) : NULL;
}

static napi_value js_watch_add(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  int32_t fd, backlog;
  struct watch *watch = take_watch(env, info, values, 3);
  if (!watch || !addon_int(env, values[1], &fd) || !addon_int(env, values[2], &backlog))
    return NULL;
  return addon_number(env, fd < 0 ? -EBADF : watch_add(watch, fd, backlog));
}

static napi_value js_watch_remove(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  int32_t fd;
  struct watch *watch = take_watch(env, info, values, 2);
  if (!watch || !addon_int(env, values[1], &fd))
    return NULL;
  return addon_number(env, fd < 0 ? -EBADF : watch_remove(watch, fd));
}

/* Fills the caller's Int32Array with fd, reopened, fd, reopened… */
static napi_value js_watch_take(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  void *words;
  size_t count;
  struct watch *watch = take_watch(env, info, values, 2);
  if (!watch || !take_words(env, values[1], &words, &count))
    return NULL;
  return addon_number(env, watch_take(watch, words, count / (sizeof(struct watch_event) / sizeof(int32_t))));
}

static napi_value js_watch_stop(napi_env env, napi_callback_info info)
{
  napi_value values[1];
  struct handle *handle;
  if (addon_args(env, info, values, 1) && napi_get_value_external(env, values[0], (void **)&handle) == napi_ok)
    stop(handle);
  return NULL;
}

void addon_add_guard(napi_env env, napi_value exports)
{
  napi_set_named_property(env, exports, "socketOptions", addon_socket_options(env));
  addon_method(env, exports, "audit", js_audit);
  addon_method(env, exports, "removeMd5", js_remove_md5);
  addon_method(env, exports, "filterProbe", js_filter_probe);
  addon_method(env, exports, "watchStart", js_watch_start);
  addon_method(env, exports, "watchWakeFd", js_watch_wake_fd);
  addon_method(env, exports, "watchAdd", js_watch_add);
  addon_method(env, exports, "watchRemove", js_watch_remove);
  addon_method(env, exports, "watchTake", js_watch_take);
  addon_method(env, exports, "watchStop", js_watch_stop);
}
