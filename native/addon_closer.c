/*
 * Closing a descriptor of hostile origin can block for seconds (a TCP socket with SO_LINGER and unsent data). One job at
 * a time closes them on libuv's thread pool, so that however many come, one thread of the pool waits, not all.
 */
#include "addon.h"
#include "proc.h"

#include <stdlib.h>

struct batch {
  int32_t *fds;
  size_t count;
  size_t room;
};

struct closer {
  struct batch waiting;
  struct batch closing;
  napi_async_work work;
};

static void close_all(struct batch *batch)
{
  for (size_t i = 0; i < batch->count; i++)
    proc_close_foreign(batch->fds[i]);
  free(batch->fds);
  *batch = (struct batch){0};
}

static void execute(napi_env env, void *data)
{
  (void)env;
  close_all(&((struct closer *)data)->closing);
}

static bool start(napi_env env, struct closer *closer);

static void complete(napi_env env, napi_status status, void *data)
{
  struct closer *closer = data;
  napi_delete_async_work(env, closer->work);
  closer->work = NULL;
  if (status != napi_ok)
    close_all(&closer->closing);
  if (closer->waiting.count > 0 && !start(env, closer))
    close_all(&closer->waiting);
}

static bool start(napi_env env, struct closer *closer)
{
  napi_value name;
  if (napi_create_string_utf8(env, "fd-broker:close", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, execute, complete, closer, &closer->work) != napi_ok)
    return false;
  closer->closing = closer->waiting;
  closer->waiting = (struct batch){0};
  if (napi_queue_async_work(env, closer->work) == napi_ok)
    return true;
  napi_delete_async_work(env, closer->work);
  closer->work = NULL;
  close_all(&closer->closing);
  return true;
}

static bool add(struct batch *batch, int32_t fd)
{
  if (batch->count == batch->room) {
    size_t room = batch->room ? batch->room * 2 : 16;
    int32_t *fds = realloc(batch->fds, room * sizeof *fds);
    if (!fds)
      return false;
    batch->fds = fds;
    batch->room = room;
  }
  batch->fds[batch->count++] = fd;
  return true;
}

static napi_value js_close_later(napi_env env, napi_callback_info info)
{
  int32_t fd;
  struct addon *addon;
  if (!addon_ints(env, info, &fd, 1) || napi_get_instance_data(env, (void **)&addon) != napi_ok)
    return NULL;
  struct closer *closer = addon->closer;
  owned_remove(&addon->owned, fd);
  if (!add(&closer->waiting, fd))
    return addon_number(env, proc_close(fd));
  if (!closer->work && !start(env, closer))
    close_all(&closer->waiting);
  return addon_number(env, 0);
}

void addon_add_closer(napi_env env, napi_value exports, struct addon *addon)
{
  addon->closer = calloc(1, sizeof *addon->closer);
  if (addon->closer)
    addon_method(env, exports, "closeLater", js_close_later);
}

void addon_free_closer(struct addon *addon)
{
  if (!addon->closer)
    return;
  close_all(&addon->closer->waiting);
  free(addon->closer);
}
