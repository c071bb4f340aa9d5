// The configuration at start and at every reload: names come, change and go; what is untouched does not notice.

import { createName, drain } from './generations.ts'
import { fire } from './lease-life.ts'
import { leasesOf, type Name } from './registry.ts'
import { noteName, startTimer, stopTimer, type Turn, touch } from './turn.ts'
import type { CoreEvent, NameConfig } from './types.ts'

export function configure(turn: Turn, { names: configs }: Extract<CoreEvent, { type: 'configure' }>): void {
  const { names } = turn.registry
  const kept = new Set(configs.map(({ name }) => name))
  for (const [key, name] of names) if (!kept.has(key)) remove(turn, name)
  for (const config of configs) {
    const name = names.get(config.name)
    if (name) change(turn, name, config)
    else add(turn, config)
  }
}

function add(turn: Turn, config: NameConfig): void {
  const name = createName(turn.registry, config)
  turn.registry.names.set(config.name, name)
  noteName(turn, name)
}

/** Its waiters are answered, as if they asked now, when the name is settled. */
function remove(turn: Turn, name: Name): void {
  if (name.removed) return
  name.removed = true
  noteName(turn, name)
  for (const lease of leasesOf(name)) drain(turn, lease, 'removed')
  startTimer(turn, `removed/${name.config.name}`, turn.now + name.config.drainTimeout)
  touch(turn, name)
}

/** The drain deadline of a removed name passed: what is left is taken away, so that its sockets can be closed. */
export function removeLate(turn: Turn, key: string): void {
  const name = turn.registry.names.get(key)
  if (!name?.removed) return
  for (const lease of leasesOf(name)) fire(turn, lease, 'revoke')
}

/** A name that is added again before its sockets were closed is the same name. */
function change(turn: Turn, name: Name, config: NameConfig): void {
  const narrowed = name.config.mode === 'shared' && config.mode === 'exclusive'
  if (name.removed) stopTimer(turn, `removed/${config.name}`)
  name.removed = false
  name.config = config
  noteName(turn, name)
  if (narrowed) keepOne(turn, name)
  touch(turn, name)
}

/** Shared became exclusive: one lease of the current generation goes on, preferably a ready one; the others drain. */
function keepOne(turn: Turn, name: Name): void {
  const current = [...name.current.leases]
  const kept = current.find(({ state }) => state === 'ready') ?? current.find(({ state }) => state === 'granted')
  for (const lease of leasesOf(name)) if (lease !== kept) drain(turn, lease, 'admin')
}
