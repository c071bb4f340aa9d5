// Without the addon: `check` and `doctor` ask where none loads.

import { readFileSync } from 'node:fs'

/** net.ipv4.tcp_available_congestion_control. Undefined where nobody says. */
export function availableCongestionControls(): string[] | undefined {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').trim().split(/\s+/)
  } catch {
    return undefined
  }
}
