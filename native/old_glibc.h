/*
 * Put before every source of a prebuilt addon for glibc, so that one that was built on a new system loads where Node.js 20 does
 * (glibc 2.28): symbols that later versions of glibc renewed without changing what they do are asked for by their first version.
 * scripts/prebuild checks the result.
 */
#if defined(__x86_64__)
#define FIRST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST "GLIBC_2.17"
#endif

#if !defined(__ASSEMBLER__) && defined(FIRST)
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

__asm__(".symver pthread_attr_setstacksize,pthread_attr_setstacksize@" FIRST);
__asm__(".symver pthread_create,pthread_create@" FIRST);
__asm__(".symver pthread_join,pthread_join@" FIRST);
__asm__(".symver pthread_detach,pthread_detach@" FIRST);
__asm__(".symver pthread_sigmask,pthread_sigmask@" FIRST);
__asm__(".symver sem_destroy,sem_destroy@" FIRST);
__asm__(".symver sem_init,sem_init@" FIRST);
__asm__(".symver sem_post,sem_post@" FIRST);
__asm__(".symver sem_timedwait,sem_timedwait@" FIRST);
__asm__(".symver sem_wait,sem_wait@" FIRST);

/* Before 2.33 these were no symbols at all. The kernel's struct stat is glibc's on both architectures. */
static inline int old_glibc_fstat(int fd, struct stat *stat)
{
  return (int)syscall(SYS_fstat, fd, stat);
}
#define fstat old_glibc_fstat
#endif
