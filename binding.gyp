{
  'targets': [
    {
      'target_name': 'fd_broker',
      'sources': [
        'native/addon.c',
        'native/addon_args.c',
        'native/addon_closer.c',
        'native/addon_constants.c',
        'native/addon_poll.c',
        'native/proc.c',
        'native/scm.c',
        'native/sock.c',
        'native/unix_diag.c',
      ],
      'defines': ['NAPI_VERSION=8', '_GNU_SOURCE'],
      'cflags': ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
    },
  ],
}
