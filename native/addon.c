/* Marshals between JavaScript and the system calls of scm.c, sock.c and proc.c: each answers a number >= 0, or -errno. */
#include "addon.h"
#include "diag.h"
#include "peer.h"
#include "privileges.h"
#include "proc.h"
#include "scm.h"
#include "sock.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* A function of integers that answers one. */
#define FROM_INTS(name, count, call)                                         \
  static napi_value name(napi_env env, napi_callback_info info)              \
  {                                                                          \
    int32_t a[count];                                                        \
    return addon_ints(env, info, a, count) ? addon_number(env, call) : NULL; \
  }

FROM_INTS(js_fchmod, 2, proc_chmod(a[0], a[1]))
FROM_INTS(js_fchown, 3, proc_chown(a[0], a[1], a[2]))
FROM_INTS(js_nonblock, 1, proc_nonblock(a[0]))
FROM_INTS(js_set_nonblock, 2, proc_set_nonblock(a[0], a[1]))
FROM_INTS(js_poll, 2, proc_poll(a[0], a[1]))
FROM_INTS(js_wait, 3, proc_wait(a[0], a[1], a[2]))
FROM_INTS(js_lock, 1, proc_lock(a[0]))
FROM_INTS(js_lock_holder, 1, proc_lock_holder(a[0]))
FROM_INTS(js_pidfd_signal, 2, proc_pidfd_signal(a[0], a[1]))
FROM_INTS(js_kill_pending, 1, proc_kill_pending(a[0]))
FROM_INTS(js_slice, 1, proc_slice(a[0]))
FROM_INTS(js_listen, 2, sock_listen(a[0], a[1]))
FROM_INTS(js_shutdown, 2, sock_shutdown(a[0], a[1]))
FROM_INTS(js_unsent, 1, sock_unsent(a[0]))

/* A set of capabilities comes as its low and its high half. */
#define CAPABILITIES(words) ((uint64_t)(uint32_t)(words)[1] << 32 | (uint32_t)(words)[0])
FROM_INTS(js_privileges_prepare, 2, privileges_prepare(CAPABILITIES(a)))
FROM_INTS(js_privileges_settle, 2, privileges_settle(CAPABILITIES(a)))

static napi_value js_yield(napi_env env, napi_callback_info info)
{
  (void)info;
  return addon_number(env, proc_yield());
}

static napi_value js_exchange(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  char path[PATH_MAX], other[PATH_MAX];
  size_t length, other_length;
  if (!addon_args(env, info, values, 2) || !addon_text(env, values[0], path, sizeof path, &length) ||
      !addon_text(env, values[1], other, sizeof other, &other_length))
    return NULL;
  return addon_number(env, strlen(path) == length && strlen(other) == other_length ? proc_exchange(path, other) : -EINVAL);
}

static napi_value js_fstat(napi_env env, napi_callback_info info)
{
  int32_t fd;
  struct proc_stat stat;
  if (!addon_ints(env, info, &fd, 1))
    return NULL;
  int status = proc_stat(fd, &stat);
  if (status < 0)
    return addon_number(env, status);
  napi_value object;
  napi_create_object(env, &object);
  napi_set_named_property(env, object, "dev", addon_number(env, (double)stat.dev));
  napi_set_named_property(env, object, "ino", addon_number(env, (double)stat.ino));
  napi_set_named_property(env, object, "mode", addon_number(env, stat.mode));
  napi_set_named_property(env, object, "uid", addon_number(env, stat.uid));
  return object;
}

/* Three values of a call: family, text, port. A refused address has length 0, which no call is made with. */
static bool take_address(napi_env env, napi_value *values, struct sock_address *address, int *status)
{
  int32_t family;
  double port;
  char text[1024];
  size_t length;
  if (!addon_int(env, values[0], &family) || !addon_text(env, values[1], text, sizeof text, &length))
    return false;
  if (napi_get_value_double(env, values[2], &port) != napi_ok || port < 0 || port > UINT32_MAX) {
    napi_throw_type_error(env, NULL, "a port is due");
    return false;
  }
  *status = sock_address(family, text, length, (uint32_t)port, address);
  return true;
}

static napi_value with_address(napi_env env, napi_callback_info info, int (*call)(int, const struct sock_address *))
{
  napi_value values[4];
  int32_t fd;
  int status;
  struct sock_address address;
  if (!addon_args(env, info, values, 4) || !addon_int(env, values[0], &fd) ||
      !take_address(env, values + 1, &address, &status))
    return NULL;
  return addon_number(env, status < 0 ? status : call(fd, &address));
}

static napi_value js_bind(napi_env env, napi_callback_info info)
{
  return with_address(env, info, sock_bind);
}

static napi_value js_connect(napi_env env, napi_callback_info info)
{
  return with_address(env, info, sock_connect);
}

static napi_value name_with(napi_env env, napi_callback_info info, int (*call)(int, struct sock_words *))
{
  int32_t fd;
  struct sock_words words;
  if (!addon_ints(env, info, &fd, 1))
    return NULL;
  int status = call(fd, &words);
  if (status < 0)
    return addon_number(env, status);
  napi_value object, text;
  napi_create_object(env, &object);
  napi_create_string_utf8(env, words.text, words.length, &text);
  napi_set_named_property(env, object, "family", addon_number(env, words.family));
  napi_set_named_property(env, object, "text", text);
  napi_set_named_property(env, object, "port", addon_number(env, words.port));
  return object;
}

static napi_value js_getsockname(napi_env env, napi_callback_info info)
{
  return name_with(env, info, sock_name);
}

static napi_value js_getpeername(napi_env env, napi_callback_info info)
{
  return name_with(env, info, sock_peer_name);
}

static napi_value js_setsockopt(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  int32_t fd, level, name, number;
  void *bytes = &number;
  size_t length = sizeof number;
  napi_valuetype type;
  if (!addon_args(env, info, values, 4) || !addon_int(env, values[0], &fd) || !addon_int(env, values[1], &level) ||
      !addon_int(env, values[2], &name))
    return NULL;
  napi_typeof(env, values[3], &type);
  if (type == napi_number ? !addon_int(env, values[3], &number) : !addon_bytes(env, values[3], &bytes, &length))
    return NULL;
  return addon_number(env, sock_set_option(fd, level, name, bytes, length));
}

/* Fills the caller's bytes, and answers how many the kernel wrote. */
static napi_value js_getsockopt(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  int32_t fd, level, name;
  void *bytes;
  size_t length;
  if (!addon_args(env, info, values, 4) || !addon_int(env, values[0], &fd) || !addon_int(env, values[1], &level) ||
      !addon_int(env, values[2], &name) || !addon_bytes(env, values[3], &bytes, &length))
    return NULL;
  return addon_number(env, sock_get_option(fd, level, name, bytes, length));
}

static napi_value js_recv(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  int32_t fd, limit;
  void *bytes, *meta;
  size_t length;
  if (!addon_args(env, info, values, 4) || !addon_int(env, values[0], &fd) ||
      !addon_bytes(env, values[1], &bytes, &length) || !addon_int(env, values[2], &limit) ||
      !addon_words(env, values[3], napi_int32_array, sizeof(struct scm_meta) / sizeof(int32_t), &meta))
    return NULL;
  size_t most = limit < 0 ? 0 : (size_t)limit;
  int received = scm_recv(fd, bytes, most < length ? most : length, meta);
  const struct scm_meta *came = meta;
  for (int32_t i = 0; i < came->nfds; i++)
    addon_own(env, came->fds[i]);
  return addon_number(env, received);
}

/* Fills the caller's Int32Array, as struct peer has it. */
static napi_value js_peer(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  int32_t fd;
  void *peer;
  if (!addon_args(env, info, values, 2) || !addon_int(env, values[0], &fd) ||
      !addon_words(env, values[1], napi_int32_array, sizeof(struct peer) / sizeof(int32_t), &peer))
    return NULL;
  int status = peer_read(fd, peer);
  if (status == 0)
    addon_own(env, ((const struct peer *)peer)->pidfd);
  return addon_number(env, status);
}

static bool take_fds(napi_env env, napi_value value, int32_t **fds, size_t *count)
{
  napi_valuetype type;
  napi_typedarray_type found;
  *fds = NULL;
  *count = 0;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_null)
    return true;
  if (napi_get_typedarray_info(env, value, &found, count, (void **)fds, NULL, NULL) == napi_ok &&
      found == napi_int32_array)
    return true;
  napi_throw_type_error(env, NULL, "an Int32Array or null is due");
  return false;
}

static napi_value js_send(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  int32_t fd, *fds;
  void *bytes;
  size_t length, count;
  if (!addon_args(env, info, values, 3) || !addon_int(env, values[0], &fd) ||
      !addon_bytes(env, values[1], &bytes, &length) || !take_fds(env, values[2], &fds, &count))
    return NULL;
  return addon_number(env, scm_send(fd, bytes, length, fds, count, NULL, 0));
}

/* sendSockets(fd, bytes, fds, cookies): nothing is sent unless each descriptor is the socket with its cookie. */
static napi_value js_send_sockets(napi_env env, napi_callback_info info)
{
  napi_value values[4];
  int32_t fd, *fds;
  void *bytes, *cookies;
  size_t length, count;
  if (!addon_args(env, info, values, 4) || !addon_int(env, values[0], &fd) ||
      !addon_bytes(env, values[1], &bytes, &length) || !take_fds(env, values[2], &fds, &count) ||
      !addon_words(env, values[3], napi_biguint64_array, count, &cookies))
    return NULL;
  int status = scm_check(fds, cookies, count);
  return addon_number(env, status < 0 ? status : scm_send(fd, bytes, length, fds, count, NULL, 0));
}

static napi_value js_send_to(napi_env env, napi_callback_info info)
{
  napi_value values[6];
  int32_t fd, *fds;
  void *bytes;
  size_t length, count;
  int status;
  struct sock_address to;
  if (!addon_args(env, info, values, 6) || !addon_int(env, values[0], &fd) ||
      !addon_bytes(env, values[1], &bytes, &length) || !take_fds(env, values[2], &fds, &count) ||
      !take_address(env, values + 3, &to, &status))
    return NULL;
  if (status == 0)
    status = scm_send(fd, bytes, length, fds, count, (struct sockaddr *)&to.storage, to.length);
  return addon_number(env, status);
}

/* Fills [rqueue, wqueue, shutdown, state] of the caller's Uint32Array. */
static napi_value js_unix_diag(napi_env env, napi_callback_info info)
{
  napi_value values[2];
  uint32_t inode;
  void *figures;
  if (!addon_args(env, info, values, 2) ||
      !addon_words(env, values[1], napi_uint32_array, sizeof(struct unix_figures) / sizeof(uint32_t), &figures))
    return NULL;
  if (napi_get_value_uint32(env, values[0], &inode) != napi_ok) {
    napi_throw_type_error(env, NULL, "an inode is due");
    return NULL;
  }
  return addon_number(env, unix_diag(inode, figures));
}

static napi_value js_strerror(napi_env env, napi_callback_info info)
{
  int32_t number;
  napi_value text = NULL;
  if (addon_ints(env, info, &number, 1))
    napi_create_string_utf8(env, strerror(number), NAPI_AUTO_LENGTH, &text);
  return text;
}

static void free_addon(napi_env env, void *data, void *hint)
{
  (void)env;
  (void)hint;
  addon_free_closer(data);
  addon_free_owned(data);
  free(data);
}

NAPI_MODULE_INIT()
{
  static const struct {
    const char *name;
    napi_callback callback;
  } methods[] = {
    {"fchmod", js_fchmod}, {"fchown", js_fchown}, {"fstat", js_fstat}, {"nonblock", js_nonblock},
    {"setNonblock", js_set_nonblock}, {"poll", js_poll}, {"wait", js_wait}, {"lock", js_lock},
    {"lockHolder", js_lock_holder}, {"killPending", js_kill_pending}, {"yield", js_yield}, {"slice", js_slice},
    {"pidfdSignal", js_pidfd_signal}, {"bind", js_bind}, {"connect", js_connect}, {"listen", js_listen},
    {"shutdown", js_shutdown}, {"exchange", js_exchange},
    {"setsockopt", js_setsockopt}, {"getsockopt", js_getsockopt}, {"getsockname", js_getsockname},
    {"getpeername", js_getpeername}, {"unsent", js_unsent}, {"peer", js_peer}, {"recv", js_recv}, {"send", js_send},
    {"sendSockets", js_send_sockets},
    {"sendTo", js_send_to}, {"unixDiag", js_unix_diag}, {"strerror", js_strerror},
    {"privilegesPrepare", js_privileges_prepare}, {"privilegesSettle", js_privileges_settle},
  };
  struct addon *addon = calloc(1, sizeof *addon);
  if (!addon || napi_set_instance_data(env, addon, free_addon, NULL) != napi_ok) {
    free(addon);
    napi_throw_error(env, NULL, "out of memory");
    return NULL;
  }
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
    addon_method(env, exports, methods[i].name, methods[i].callback);
  addon_add_owned(env, exports);
  addon_add_closer(env, exports, addon);
  addon_add_poll(env, exports, addon);
  addon_add_notify(env, exports);
  addon_add_exec(env, exports);
  addon_add_swap(env, exports);
  addon_add_scan(env, exports);
  addon_add_guard(env, exports);
  napi_set_named_property(env, exports, "constants", addon_constants(env));
  return exports;
}
