export interface FaultPointResult {
  faults: string[]
  /** The call with its first bytes; undefined when the clients were done before. */
  killedAt: string | undefined
}

export function runFaultPoint(
  call: 'pwrite64' | 'sendmsg',
  point: number,
  story?: 'leases' | 'programs' | 'restart',
): Promise<FaultPointResult>
