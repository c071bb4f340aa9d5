#ifndef FD_BROKER_PRIVILEGES_H
#define FD_BROKER_PRIVILEGES_H

#include <stdint.h>

/* Both act on every thread, and return 0 or -errno. `keep` has a bit for each capability. The user is changed between the two. */

/* Nothing beyond `keep` can be had again; what is held outlives the change of the user. */
int privileges_prepare(uint64_t keep);
/* Exactly `keep` is held, and no program that is started can gain more. */
int privileges_settle(uint64_t keep);

#endif
