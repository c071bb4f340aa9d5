/* The walk through /proc on libuv's thread pool: with thousands of processes it takes longer than the event loop may stand. */
#include "addon.h"
#include "proc_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct job {
  struct proc_wanted wanted;
  struct proc_found found;
  int status;
  napi_deferred deferred;
  napi_async_work work;
};

static void free_job(struct job *job)
{
  free(job->wanted.inodes);
  free(job->wanted.pids);
  free(job->found.bytes);
  free(job->found.unseen);
  free(job);
}

static void execute(napi_env env, void *data)
{
  (void)env;
  struct job *job = data;
  job->status = proc_scan(&job->wanted, &job->found);
}

/* [records, pids of the unseen as uint32s], two Buffers; NULL when they cannot be made. */
static napi_value results(napi_env env, const struct proc_found *found)
{
  napi_value pair, records, unseen;
  size_t unseen_bytes = found->unseen_count * sizeof *found->unseen;
  if (napi_create_buffer_copy(env, found->length, found->bytes, NULL, &records) != napi_ok ||
      napi_create_buffer_copy(env, unseen_bytes, found->unseen, NULL, &unseen) != napi_ok ||
      napi_create_array_with_length(env, 2, &pair) != napi_ok || napi_set_element(env, pair, 0, records) != napi_ok ||
      napi_set_element(env, pair, 1, unseen) != napi_ok)
    return NULL;
  return pair;
}

static void complete(napi_env env, napi_status status, void *data)
{
  struct job *job = data;
  napi_value result = NULL;
  if (status == napi_ok && job->status == 0)
    result = results(env, &job->found);
  if (!result)
    result = addon_number(env, job->status < 0 ? job->status : -ECANCELED);
  napi_resolve_deferred(env, job->deferred, result);
  napi_delete_async_work(env, job->work);
  free_job(job);
}

static void *copy(const void *words, size_t count, size_t size)
{
  void *bytes = malloc(count * size + 1);
  return bytes && count > 0 ? memcpy(bytes, words, count * size) : bytes;
}

/* (inodes: BigUint64Array, pids: Int32Array), both sorted. A promise of two Buffers, or of -errno. */
static napi_value js_scan_processes(napi_env env, napi_callback_info info)
{
  napi_value values[2], name, promise;
  napi_typedarray_type types[2];
  void *inodes, *pids;
  size_t inode_count, pid_count;
  if (!addon_args(env, info, values, 2))
    return NULL;
  if (napi_get_typedarray_info(env, values[0], &types[0], &inode_count, &inodes, NULL, NULL) != napi_ok ||
      napi_get_typedarray_info(env, values[1], &types[1], &pid_count, &pids, NULL, NULL) != napi_ok ||
      types[0] != napi_biguint64_array || types[1] != napi_int32_array) {
    napi_throw_type_error(env, NULL, "a BigUint64Array and an Int32Array are due");
    return NULL;
  }
  struct job *job = calloc(1, sizeof *job);
  if (!job)
    goto failed;
  job->wanted = (struct proc_wanted){
    .inodes = copy(inodes, inode_count, sizeof(uint64_t)),
    .inode_count = inode_count,
    .pids = copy(pids, pid_count, sizeof(int32_t)),
    .pid_count = pid_count,
  };
  if (!job->wanted.inodes || !job->wanted.pids ||
      napi_create_string_utf8(env, "fd-broker:scan", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_async_work(env, NULL, name, execute, complete, job, &job->work) != napi_ok ||
      napi_create_promise(env, &job->deferred, &promise) != napi_ok)
    goto failed;
  if (napi_queue_async_work(env, job->work) == napi_ok)
    return promise;
failed:
  if (job && job->work)
    napi_delete_async_work(env, job->work);
  if (job)
    free_job(job);
  napi_throw_error(env, NULL, "out of memory");
  return NULL;
}

void addon_add_scan(napi_env env, napi_value exports)
{
  addon_method(env, exports, "scanProcesses", js_scan_processes);
}
