export interface FaultPointResult {
  faults: string[]
  /** The call with its first bytes; undefined when the clients were done before. */
  killedAt: string | undefined
}

export function runFaultPoint(call: 'pwrite64' | 'sendmsg', point: number): Promise<FaultPointResult>

export interface Tracer {
  killedAt(): string | undefined
  stop(): void
}

/** Kills the process before that call, counted from now. */
export function trace(pid: number, call: 'pwrite64' | 'sendmsg', point: number): Promise<Tracer>
