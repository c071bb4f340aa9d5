/*
 * Who owns what the addon opens: the environment, from the call that opens it until close(), closeLater(), disown() or give().
 * Each is one call, so JavaScript that is ended anywhere (worker.terminate()) leaves no number without an owner, and none with two.
 *
 * What is left is closed with the environment's data. That goes last, when the Polls' cleanup hook is over and the threads that
 * watch descriptors have stopped: nothing uses a number any more.
 */
#include "addon.h"
#include "proc.h"
#include "sock.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uv.h>

static struct owned *owned_of(napi_env env)
{
  struct addon *addon = NULL;
  napi_get_instance_data(env, (void **)&addon);
  return &addon->owned;
}

void addon_own(napi_env env, int fd)
{
  owned_add(owned_of(env), fd);
}

void addon_disown(napi_env env, int fd)
{
  owned_remove(owned_of(env), fd);
}

napi_value addon_opened(napi_env env, int fd)
{
  addon_own(env, fd);
  return addon_number(env, fd);
}

/* The process's first thread ends with it, and the kernel closes better then: it does not wait for data (SO_LINGER). */
void addon_free_owned(struct addon *addon)
{
  if (syscall(SYS_gettid) == getpid())
    owned_forget_all(&addon->owned);
  else
    owned_close_all(&addon->owned);
}

/* A function of integers that opens one descriptor. */
#define OPENS(name, count, call)                                             \
  static napi_value name(napi_env env, napi_callback_info info)              \
  {                                                                          \
    int32_t a[count];                                                        \
    return addon_ints(env, info, a, count) ? addon_opened(env, call) : NULL; \
  }

OPENS(js_dup, 1, proc_dup(a[0]))
OPENS(js_pidfd_open, 1, proc_pidfd_open(a[0]))
OPENS(js_pidfd_open_thread, 1, proc_pidfd_open_thread(a[0]))
OPENS(js_pidfd_getfd, 2, proc_pidfd_getfd(a[0], a[1]))
OPENS(js_socket, 3, sock_open(a[0], a[1], a[2]))
OPENS(js_accept, 1, sock_accept(a[0]))

static napi_value js_open(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  char path[PATH_MAX];
  size_t length;
  int32_t flags, mode;
  if (!addon_args(env, info, values, 3) || !addon_text(env, values[0], path, sizeof path, &length) ||
      !addon_int(env, values[1], &flags) || !addon_int(env, values[2], &mode))
    return NULL;
  return addon_opened(env, strlen(path) == length ? proc_open(path, flags, mode) : -EINVAL);
}

static napi_value js_memory_file(napi_env env, napi_callback_info info)
{
  napi_value values[1];
  char name[64];
  size_t length;
  if (!addon_args(env, info, values, 1) || !addon_text(env, values[0], name, sizeof name, &length))
    return NULL;
  return addon_opened(env, proc_memory_file(name));
}

/* Fills the caller's Int32Array with the two ends. */
static napi_value js_socket_pair(napi_env env, napi_callback_info info)
{
  napi_value values[3];
  int32_t domain, type;
  void *words;
  if (!addon_args(env, info, values, 3) || !addon_int(env, values[0], &domain) || !addon_int(env, values[1], &type) ||
      !addon_words(env, values[2], napi_int32_array, 2, &words))
    return NULL;
  int32_t *fds = words;
  int status = sock_pair(domain, type, fds);
  for (int end = 0; status == 0 && end < 2; end++)
    addon_own(env, fds[end]);
  return addon_number(env, status);
}

static napi_value js_close(napi_env env, napi_callback_info info)
{
  int32_t fd;
  if (!addon_ints(env, info, &fd, 1))
    return NULL;
  addon_disown(env, fd);
  return addon_number(env, proc_close(fd));
}

static napi_value js_disown(napi_env env, napi_callback_info info)
{
  int32_t fd;
  if (addon_ints(env, info, &fd, 1))
    addon_disown(env, fd);
  return NULL;
}

/* What libuv's sockets have of a number. One that is being closed has none any more. */
struct sockets {
  int fd;
  bool have;
  size_t closing;
};

static void look_at(uv_handle_t *handle, void *data)
{
  struct sockets *sockets = data;
  uv_os_fd_t fd;
  uv_handle_type type = uv_handle_get_type(handle);
  if (type != UV_TCP && type != UV_NAMED_PIPE && type != UV_UDP)
    return;
  sockets->closing += uv_is_closing(handle) != 0;
  sockets->have |= uv_fileno(handle, &fd) == 0 && fd == sockets->fd;
}

static struct sockets sockets_with(uv_loop_t *loop, int fd)
{
  struct sockets sockets = {.fd = fd};
  uv_walk(loop, look_at, &sockets);
  return sockets;
}

/*
 * give(fd, take): take(fd) makes it a socket of Node's. A take that throws, or is ended on its way, has done so or not: where no
 * socket has the number, and none was closed meanwhile, which might have had it, it is closed here.
 */
static napi_value js_give(napi_env env, napi_callback_info info)
{
  napi_value values[2], undefined;
  int32_t fd;
  uv_loop_t *loop;
  if (!addon_args(env, info, values, 2) || !addon_int(env, values[0], &fd) ||
      napi_get_undefined(env, &undefined) != napi_ok || napi_get_uv_event_loop(env, &loop) != napi_ok)
    return NULL;
  struct sockets before = sockets_with(loop, fd);
  bool taken = napi_call_function(env, undefined, values[1], 1, values, NULL) == napi_ok;
  struct sockets after = sockets_with(loop, fd);
  addon_disown(env, fd);
  if (!taken && !after.have && after.closing == before.closing)
    proc_close(fd);
  return NULL;
}

void addon_add_owned(napi_env env, napi_value exports)
{
  static const struct {
    const char *name;
    napi_callback callback;
  } methods[] = {
    {"dup", js_dup}, {"open", js_open}, {"memoryFile", js_memory_file}, {"pidfdOpen", js_pidfd_open},
    {"pidfdOpenThread", js_pidfd_open_thread}, {"pidfdGetfd", js_pidfd_getfd}, {"socket", js_socket},
    {"socketPair", js_socket_pair}, {"accept", js_accept}, {"close", js_close}, {"disown", js_disown},
    {"give", js_give},
  };
  for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
    addon_method(env, exports, methods[i].name, methods[i].callback);
}
