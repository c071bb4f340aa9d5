/** Where src/cli/fd-broker.sh leaves its note: soft RLIMIT_NOFILE, SigIgn, SigBlk (proc(5)), descriptors that were closed. */
export const START_VARIABLE = 'FD_BROKER_START'
