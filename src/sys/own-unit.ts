import { readText } from './proc.ts'
import { parseCgroup, unitOfCgroup } from './process-facts.ts'

/** The systemd unit that this process runs in: of the system, or of the user's own manager, below user@UID.service. */
export function ownUnit(cgroups = readText('/proc/self/cgroup') ?? ''): { name: string; user: boolean } | undefined {
  const cgroup = parseCgroup(cgroups)
  const name = cgroup === undefined ? undefined : unitOfCgroup(cgroup)
  if (name === undefined || !/^user@\d+\.service$/.test(name))
    return name === undefined ? undefined : { name, user: false }
  const below = cgroup!.slice(cgroup!.indexOf(name) + name.length)
  const own = unitOfCgroup(below)
  return own === undefined ? undefined : { name: own, user: true }
}
