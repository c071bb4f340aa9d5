#ifndef FD_BROKER_PASSING_H
#define FD_BROKER_PASSING_H

#include <errno.h>
#include <stdbool.h>

/* Want of descriptors or memory says nothing of what was asked about: the same call may succeed later. */
static inline bool is_passing(int error)
{
  switch (error) {
  case EAGAIN:
  case EINTR:
  case EMFILE:
  case ENFILE:
  case ENOBUFS:
  case ENOMEM:
  case ETOOMANYREFS:
    return true;
  default:
    return false;
  }
}

#endif
