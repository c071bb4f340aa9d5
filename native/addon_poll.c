/*
 * class Poll(fd, callback(status, events)): one uv_poll_t.
 *
 * The JavaScript object is held from construction to close(), so a Poll is collected only when it is closed. The C side is
 * freed when both are over: libuv's close callback has run, and the object is collected. At the end of the environment the
 * asynchronous cleanup hook closes what is open and holds the environment until libuv has let go of every handle.
 */
#include "addon.h"

#include <stdlib.h>
#include <uv.h>

struct poll {
  uv_poll_t handle; /* first: libuv's pointer is ours */
  napi_env env;
  struct poll_registry *registry;
  struct poll *next;
  struct poll **link;
  napi_ref self;
  napi_ref callback;
  bool closing;
  bool closed;
  bool collected;
};

struct poll_registry {
  struct poll *first;
  size_t handles;
  napi_env env;
  napi_async_context context; /* one for all: nobody traces a single one of them */
  napi_async_cleanup_hook_handle hook;
  bool ending;
};

static void finish_ending(struct poll_registry *registry)
{
  if (registry->ending && registry->handles == 0) {
    napi_remove_async_cleanup_hook(registry->hook);
    free(registry);
  }
}

static void on_closed(uv_handle_t *handle)
{
  struct poll *poll = (struct poll *)handle;
  struct poll_registry *registry = poll->registry;
  poll->closed = true;
  if (poll->collected)
    free(poll);
  registry->handles--;
  finish_ending(registry);
}

static void close_poll(struct poll *poll)
{
  if (poll->closing)
    return;
  poll->closing = true;
  *poll->link = poll->next;
  if (poll->next)
    poll->next->link = poll->link;
  napi_delete_reference(poll->env, poll->callback);
  napi_delete_reference(poll->env, poll->self);
  uv_close((uv_handle_t *)&poll->handle, on_closed);
}

static void on_environment_end(napi_async_cleanup_hook_handle hook, void *data)
{
  struct poll_registry *registry = data;
  registry->hook = hook;
  registry->ending = true;
  while (registry->first)
    close_poll(registry->first);
  napi_async_destroy(registry->env, registry->context);
  finish_ending(registry);
}

static void on_collected(napi_env env, void *data, void *hint)
{
  (void)env;
  (void)hint;
  struct poll *poll = data;
  poll->collected = true;
  if (poll->closed)
    free(poll);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
  struct poll *poll = (struct poll *)handle;
  napi_env env = poll->env;
  napi_handle_scope scope;
  if (poll->closing || napi_open_handle_scope(env, &scope) != napi_ok)
    return;
  napi_value self, callback, arguments[2];
  if (napi_get_reference_value(env, poll->self, &self) == napi_ok &&
      napi_get_reference_value(env, poll->callback, &callback) == napi_ok &&
      napi_create_int32(env, status, &arguments[0]) == napi_ok &&
      napi_create_int32(env, events, &arguments[1]) == napi_ok)
    napi_make_callback(env, poll->registry->context, self, callback, 2, arguments, NULL);

  bool pending = false;
  napi_value error;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_fatal_exception(env, error);
  napi_close_handle_scope(env, scope);
}

static void throw_uv(napi_env env, int status)
{
  napi_throw_error(env, uv_err_name(status), uv_strerror(status));
}

static bool hold(napi_env env, struct poll *poll, napi_value self, napi_value callback)
{
  if (napi_create_reference(env, callback, 1, &poll->callback) != napi_ok)
    return false;
  if (napi_wrap(env, self, poll, on_collected, NULL, NULL) == napi_ok) {
    if (napi_create_reference(env, self, 1, &poll->self) == napi_ok)
      return true;
    napi_remove_wrap(env, self, NULL);
  }
  napi_delete_reference(env, poll->callback);
  return false;
}

static void register_poll(struct poll_registry *registry, struct poll *poll)
{
  poll->registry = registry;
  poll->next = registry->first;
  poll->link = &registry->first;
  if (poll->next)
    poll->next->link = &poll->next;
  registry->first = poll;
  registry->handles++;
}

static void free_failed(uv_handle_t *handle)
{
  struct poll *poll = (struct poll *)handle;
  poll->registry->handles--;
  finish_ending(poll->registry);
  free(poll);
}

static napi_value js_new(napi_env env, napi_callback_info info)
{
  napi_value arguments[2], self;
  size_t count = 2;
  int32_t fd;
  napi_valuetype type;
  struct addon *addon;
  uv_loop_t *loop;
  if (napi_get_cb_info(env, info, &count, arguments, &self, NULL) != napi_ok || count < 2 ||
      napi_typeof(env, arguments[1], &type) != napi_ok || type != napi_function) {
    napi_throw_type_error(env, NULL, "Poll takes a descriptor and a function");
    return NULL;
  }
  if (!addon_int(env, arguments[0], &fd) || napi_get_instance_data(env, (void **)&addon) != napi_ok ||
      napi_get_uv_event_loop(env, &loop) != napi_ok)
    return NULL;

  struct poll *poll = calloc(1, sizeof *poll);
  if (!poll) {
    throw_uv(env, UV_ENOMEM);
    return NULL;
  }
  poll->env = env;
  int status = uv_poll_init(loop, &poll->handle, fd);
  if (status < 0) {
    free(poll);
    throw_uv(env, status);
    return NULL;
  }
  if (!hold(env, poll, self, arguments[1])) {
    poll->registry = addon->polls;
    poll->registry->handles++;
    uv_close((uv_handle_t *)&poll->handle, free_failed);
    throw_uv(env, UV_ENOMEM);
    return NULL;
  }
  register_poll(addon->polls, poll);
  return self;
}

static struct poll *poll_of(napi_env env, napi_callback_info info, napi_value *argument)
{
  size_t count = argument ? 1 : 0;
  napi_value self;
  struct poll *poll = NULL;
  if (napi_get_cb_info(env, info, &count, argument, &self, NULL) != napi_ok ||
      napi_unwrap(env, self, (void **)&poll) != napi_ok) {
    napi_throw_type_error(env, NULL, "not a Poll");
    return NULL;
  }
  return poll;
}

static napi_value js_start(napi_env env, napi_callback_info info)
{
  napi_value argument;
  int32_t events;
  struct poll *poll = poll_of(env, info, &argument);
  if (!poll || !addon_int(env, argument, &events))
    return NULL;
  return addon_number(env, poll->closing ? UV_EBADF : uv_poll_start(&poll->handle, events, on_event));
}

static napi_value js_stop(napi_env env, napi_callback_info info)
{
  struct poll *poll = poll_of(env, info, NULL);
  if (poll && !poll->closing)
    uv_poll_stop(&poll->handle);
  return NULL;
}

static napi_value js_close(napi_env env, napi_callback_info info)
{
  struct poll *poll = poll_of(env, info, NULL);
  if (poll)
    close_poll(poll);
  return NULL;
}

static napi_value js_ref(napi_env env, napi_callback_info info)
{
  struct poll *poll = poll_of(env, info, NULL);
  if (poll && !poll->closing)
    uv_ref((uv_handle_t *)&poll->handle);
  return NULL;
}

static napi_value js_unref(napi_env env, napi_callback_info info)
{
  struct poll *poll = poll_of(env, info, NULL);
  if (poll && !poll->closing)
    uv_unref((uv_handle_t *)&poll->handle);
  return NULL;
}

void addon_add_poll(napi_env env, napi_value exports, struct addon *addon)
{
  static const struct {
    const char *name;
    napi_callback method;
  } methods[] = {{"start", js_start}, {"stop", js_stop}, {"close", js_close}, {"ref", js_ref}, {"unref", js_unref}};
  enum { METHODS = sizeof methods / sizeof methods[0] };
  napi_property_descriptor properties[METHODS] = {0};
  for (size_t i = 0; i < METHODS; i++) {
    properties[i].utf8name = methods[i].name;
    properties[i].method = methods[i].method;
  }

  struct poll_registry *registry = calloc(1, sizeof *registry);
  napi_value class, name;
  if (!registry)
    return;
  registry->env = env;
  if (napi_create_string_utf8(env, "fd-broker:poll", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_async_init(env, NULL, name, &registry->context) != napi_ok) {
    free(registry);
    return;
  }
  if (napi_add_async_cleanup_hook(env, on_environment_end, registry, &registry->hook) != napi_ok) {
    free(registry);
    return;
  }
  addon->polls = registry;
  if (napi_define_class(env, "Poll", NAPI_AUTO_LENGTH, js_new, NULL, METHODS, properties, &class) == napi_ok)
    napi_set_named_property(env, exports, "Poll", class);
}
