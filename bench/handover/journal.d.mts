interface Viewer {
  holders(name: string): Promise<{ lease: number; pid: number; generation: string; state: string }[]>
  list(): Promise<{ generation: string }[]>
}

export class Journal {
  readonly differences: string[]
  constructor(stage: { broker: Viewer })
  granted(worker: { pid: number }, grant: { lease: number; generation: string }): void
  becomes(lease: number, state: string): void
  compare(what: string, current: string, grace?: number): Promise<void>
}
