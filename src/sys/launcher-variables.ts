/** Where src/cli/fd-broker.sh leaves its note: soft RLIMIT_NOFILE, SigIgn, SigBlk (proc(5)), descriptors that were closed. */
export const START_VARIABLE = 'FD_BROKER_START'

/** Where src/cli/fd-broker.sh says under which path it was called: what stands there later is what an upgrade starts. */
export const SELF_VARIABLE = 'FD_BROKER_SELF'

/** What nobody but the started command is to see. */
export const LAUNCHER_VARIABLES = [START_VARIABLE, SELF_VARIABLE]
