#include "addon.h"

static bool refuse(napi_env env, const char *why)
{
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending)
    napi_throw_type_error(env, NULL, why);
  return false;
}

bool addon_args(napi_env env, napi_callback_info info, napi_value *values, size_t count)
{
  size_t given = count;
  if (napi_get_cb_info(env, info, &given, values, NULL, NULL) != napi_ok)
    return refuse(env, "no arguments");
  return given >= count || refuse(env, "too few arguments");
}

bool addon_int(napi_env env, napi_value value, int32_t *out)
{
  return napi_get_value_int32(env, value, out) == napi_ok || refuse(env, "a number is due");
}

bool addon_ints(napi_env env, napi_callback_info info, int32_t *out, size_t count)
{
  napi_value values[8];
  if (!addon_args(env, info, values, count))
    return false;
  for (size_t i = 0; i < count; i++) {
    if (!addon_int(env, values[i], &out[i]))
      return false;
  }
  return true;
}

bool addon_words(napi_env env, napi_value value, napi_typedarray_type type, size_t least, void **words)
{
  napi_typedarray_type found;
  size_t length;
  if (napi_get_typedarray_info(env, value, &found, &length, words, NULL, NULL) != napi_ok)
    return refuse(env, "a typed array is due");
  return (found == type && length >= least) || refuse(env, "the typed array has another type, or is too short");
}

bool addon_bytes(napi_env env, napi_value value, void **bytes, size_t *length)
{
  napi_typedarray_type found;
  if (napi_get_typedarray_info(env, value, &found, length, bytes, NULL, NULL) != napi_ok || found != napi_uint8_array)
    return refuse(env, "a Uint8Array is due");
  return true;
}

bool addon_text(napi_env env, napi_value value, char *text, size_t size, size_t *length)
{
  size_t needed;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &needed) != napi_ok)
    return refuse(env, "a string is due");
  if (needed >= size)
    return refuse(env, "the string is too long");
  return napi_get_value_string_utf8(env, value, text, size, length) == napi_ok || refuse(env, "a string is due");
}

napi_value addon_number(napi_env env, double value)
{
  napi_value result = NULL;
  napi_create_double(env, value, &result);
  return result;
}

void addon_method(napi_env env, napi_value exports, const char *name, napi_callback callback)
{
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function) == napi_ok)
    napi_set_named_property(env, exports, name, function);
}
