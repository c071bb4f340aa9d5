#include "addon.h"
#include "epoll.h"
#include "swap.h"

static napi_value js_dup_onto(napi_env env, napi_callback_info info)
{
  int32_t a[2];
  return addon_ints(env, info, a, 2) ? addon_number(env, swap_dup_onto(a[0], a[1])) : NULL;
}

static napi_value js_epoll_open(napi_env env, napi_callback_info info)
{
  (void)info;
  return addon_opened(env, epoll_open());
}

/* epoll, and the words to fill. */
static napi_value js_epoll_take(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  int32_t epoll;
  void *words;
  size_t count;
  napi_typedarray_type type;
  if (!addon_args(env, info, values, 2) || !addon_int(env, values[0], &epoll))
    return NULL;
  if (napi_get_typedarray_info(env, values[1], &type, &count, &words, NULL, NULL) != napi_ok || type != napi_int32_array) {
    napi_throw_type_error(env, NULL, "an Int32Array is due");
    return NULL;
  }
  return addon_number(env, epoll_take(epoll, words, count));
}

/* epoll, operation, fd, events, and the 64 bits of data as two words, the lower one first. */
static napi_value js_epoll_ctl(napi_env env, napi_callback_info info)
{
  int32_t a[6];
  if (!addon_ints(env, info, a, 6))
    return NULL;
  uint64_t data = (uint64_t)(uint32_t)a[5] << 32 | (uint32_t)a[4];
  return addon_number(env, swap_epoll_ctl(a[0], a[1], a[2], (uint32_t)a[3], data));
}

static napi_value js_attach_cbpf(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  int32_t fd, option;
  void *code;
  size_t length;
  if (!addon_args(env, info, values, 3) || !addon_int(env, values[0], &fd) || !addon_int(env, values[1], &option) ||
      !addon_bytes(env, values[2], &code, &length))
    return NULL;
  return addon_number(env, swap_attach_cbpf(fd, option, code, length));
}

void addon_add_swap(napi_env env, napi_value exports)
{
  addon_method(env, exports, "dupOnto", js_dup_onto);
  addon_method(env, exports, "epollCtl", js_epoll_ctl);
  addon_method(env, exports, "epollOpen", js_epoll_open);
  addon_method(env, exports, "epollTake", js_epoll_take);
  addon_method(env, exports, "attachCbpf", js_attach_cbpf);
}
