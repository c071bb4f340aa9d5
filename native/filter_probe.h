#ifndef FD_BROKER_FILTER_PROBE_H
#define FD_BROKER_FILTER_PROBE_H

/* Whether a process without rights may attach a filter to a TCP socket: 1 or 0, by trying; or -errno when it cannot be tried. */
int filter_probe(void);

#endif
