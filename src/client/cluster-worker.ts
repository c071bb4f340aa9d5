import type { Cluster } from 'node:cluster'

/** Not imported: most programs are no cluster, and it loads what starts processes. */
export function isClusterWorker(): boolean {
  return (process.getBuiltinModule('node:cluster') as unknown as Cluster).isWorker
}
