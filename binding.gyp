{
  'targets': [
    {
      'target_name': 'fd_broker',
      'sources': [
        'native/addon.c',
        'native/addon_args.c',
        'native/addon_closer.c',
        'native/addon_constants.c',
        'native/addon_exec.c',
        'native/addon_guard.c',
        'native/addon_notify.c',
        'native/addon_poll.c',
        'native/addon_swap.c',
        'native/addon_scan.c',
        'native/audit.c',
        'native/exec.c',
        'native/notify.c',
        'native/notify_queue.c',
        'native/proc.c',
        'native/proc_scan.c',
        'native/scm.c',
        'native/sock.c',
        'native/swap.c',
        'native/unix_diag.c',
        'native/watch.c',
      ],
      'defines': ['NAPI_VERSION=8', '_GNU_SOURCE'],
      # A thread of the addon may be in a close() that blocks when its environment ends: the code must stay mapped.
      'ldflags': ['-Wl,-z,nodelete'],
      'cflags': ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-fvisibility=hidden'],
    },
  ],
}
