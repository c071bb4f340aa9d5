/* The receiver of notify sockets. JavaScript has an external: over after notifyStop(), or when it is collected. */
#include "addon.h"
#include "notify.h"

#include <errno.h>
#include <stdlib.h>

struct handle {
  struct notify *notify;
};

static void stop(struct handle *handle)
{
  if (handle->notify)
    notify_stop(handle->notify);
  handle->notify = NULL;
}

static void on_collected(napi_env env, void *data, void *hint)
{
  (void)env;
  (void)hint;
  stop(data);
  free(data);
}

static napi_value js_start(napi_env env, napi_callback_info info)
{
  (void)info;
  napi_value external;
  struct handle *handle = calloc(1, sizeof *handle);
  int status = handle ? notify_start(&handle->notify) : -ENOMEM;
  if (status == 0 && napi_create_external(env, handle, on_collected, NULL, &external) == napi_ok)
    return external;
  if (handle)
    stop(handle);
  free(handle);
  return addon_number(env, status < 0 ? status : -ENOMEM);
}

/* Arguments: a receiver, and a number where `number` is not NULL. */
static struct handle *take(napi_env env, napi_callback_info info, int32_t *number)
{
  napi_value values[2];
  struct handle *handle;
  if (!addon_args(env, info, values, number ? 2 : 1) || (number && !addon_int(env, values[1], number)))
    return NULL;
  if (napi_get_value_external(env, values[0], (void **)&handle) == napi_ok && handle->notify)
    return handle;
  napi_throw_type_error(env, NULL, "not a receiver, or a stopped one");
  return NULL;
}

static napi_value js_wake_fd(napi_env env, napi_callback_info info)
{
  struct handle *handle = take(env, info, NULL);
  return handle ? addon_number(env, notify_wake_fd(handle->notify)) : NULL;
}

static napi_value js_dropped(napi_env env, napi_callback_info info)
{
  struct handle *handle = take(env, info, NULL);
  return handle ? addon_number(env, (double)notify_dropped(handle->notify)) : NULL;
}

static napi_value js_add(napi_env env, napi_callback_info info)
{
  int32_t fd;
  struct handle *handle = take(env, info, &fd);
  return handle ? addon_number(env, fd < 0 ? -EBADF : notify_add(handle->notify, fd)) : NULL;
}

static napi_value js_remove(napi_env env, napi_callback_info info)
{
  int32_t fd;
  struct handle *handle = take(env, info, &fd);
  return handle ? addon_number(env, notify_remove(handle->notify, fd)) : NULL;
}

static napi_value js_hold(napi_env env, napi_callback_info info)
{
  int32_t held;
  napi_value rests;
  struct handle *handle = take(env, info, &held);
  if (!handle)
    return NULL;
  napi_get_boolean(env, notify_hold(handle->notify, held != 0), &rests);
  return rests;
}

static napi_value js_take(napi_env env, napi_callback_info info)
{
  struct handle *handle = take(env, info, NULL);
  struct notify_message *message = handle ? notify_take(handle->notify) : NULL;
  if (!message)
    return NULL;
  napi_value object, text;
  napi_create_object(env, &object);
  napi_create_string_utf8(env, message->text, message->length, &text);
  napi_set_named_property(env, object, "fd", addon_number(env, message->fd));
  napi_set_named_property(env, object, "pid", addon_number(env, message->pid));
  napi_set_named_property(env, object, "uid", addon_number(env, message->uid));
  napi_set_named_property(env, object, "gid", addon_number(env, message->gid));
  napi_set_named_property(env, object, "text", text);
  free(message);
  return object;
}

static napi_value js_stop(napi_env env, napi_callback_info info)
{
  struct handle *handle = take(env, info, NULL);
  if (handle)
    stop(handle);
  return NULL;
}

void addon_add_notify(napi_env env, napi_value exports)
{
  addon_method(env, exports, "notifyStart", js_start);
  addon_method(env, exports, "notifyWakeFd", js_wake_fd);
  addon_method(env, exports, "notifyAdd", js_add);
  addon_method(env, exports, "notifyRemove", js_remove);
  addon_method(env, exports, "notifyHold", js_hold);
  addon_method(env, exports, "notifyTake", js_take);
  addon_method(env, exports, "notifyDropped", js_dropped);
  addon_method(env, exports, "notifyStop", js_stop);
}
