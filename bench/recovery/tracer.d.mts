export interface Tracer {
  killedAt(): string | undefined
  stop(): void
}

/** Kills the process before that call, counted from now. */
export function trace(pid: number, call: 'pwrite64' | 'sendmsg', point: number): Promise<Tracer>
