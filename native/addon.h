#ifndef FD_BROKER_ADDON_H
#define FD_BROKER_ADDON_H

#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>

#include "owned.h"

struct closer;
struct poll_registry;

/* All that one environment has: the addon keeps nothing in C globals, so each thread and each load has its own. */
struct addon {
  struct closer *closer;
  struct poll_registry *polls;
  struct owned owned;
};

/* Each returns false, with a JavaScript exception pending, when the arguments have other types. */
bool addon_args(napi_env env, napi_callback_info info, napi_value *values, size_t count);
bool addon_int(napi_env env, napi_value value, int32_t *out);
bool addon_ints(napi_env env, napi_callback_info info, int32_t *out, size_t count);
bool addon_bytes(napi_env env, napi_value value, void **bytes, size_t *length);
bool addon_words(napi_env env, napi_value value, napi_typedarray_type type, size_t least, void **words);
bool addon_text(napi_env env, napi_value value, char *text, size_t size, size_t *length);

napi_value addon_number(napi_env env, double value);
void addon_method(napi_env env, napi_value exports, const char *name, napi_callback callback);

/* What the environment has open: closed with it. */
void addon_own(napi_env env, int fd);
void addon_disown(napi_env env, int fd);
/* Owns what a call opened, and answers its number; or the call's -errno. */
napi_value addon_opened(napi_env env, int fd);

napi_value addon_constants(napi_env env);
napi_value addon_socket_options(napi_env env);
void addon_add_owned(napi_env env, napi_value exports);
void addon_add_poll(napi_env env, napi_value exports, struct addon *addon);
void addon_add_closer(napi_env env, napi_value exports, struct addon *addon);
void addon_add_notify(napi_env env, napi_value exports);
void addon_add_exec(napi_env env, napi_value exports);
void addon_add_swap(napi_env env, napi_value exports);
void addon_add_scan(napi_env env, napi_value exports);
void addon_add_guard(napi_env env, napi_value exports);
void addon_free_closer(struct addon *addon);
void addon_free_owned(struct addon *addon);

#endif
