// The generations of a name, as its holders show them: the current one, those on their way, and those that leave.

import type { HolderView, NameView } from '../../protocol/messages.ts'

export interface GenerationView {
  label: string
  role: 'current' | 'pending' | 'leaving'
  granted: number
  ready: number
  draining: number
}

export function generationsOf(view: NameView, holders: readonly HolderView[]): GenerationView[] {
  const found = new Map<string, GenerationView>()
  const named = (label: string) => {
    const known = found.get(label)
    if (known) return known
    const fresh: GenerationView = { label, role: 'leaving', granted: 0, ready: 0, draining: 0 }
    found.set(label, fresh)
    return fresh
  }
  named(view.generation).role = 'current'
  for (const { name, lease, generation, state } of holders) {
    if (name !== view.name || lease === null) continue
    const each = named(generation)
    each[state]++
    if (each.role === 'leaving' && state !== 'draining') each.role = 'pending'
  }
  return [...found.values()]
}

/** `g1 (2 ready) -> v2 (1 granted)`: from what leaves to what comes. */
export function generationLine(generations: readonly GenerationView[], arrow: string): string {
  const order = { leaving: 0, current: 1, pending: 2 }
  const sorted = generations.toSorted((a, b) => order[a.role] - order[b.role])
  return sorted.map((each) => `${each.label} ${each.role} (${countLine(each)})`).join(` ${arrow} `)
}

function countLine({ granted, ready, draining }: GenerationView): string {
  const counts = [
    [granted, 'granted'],
    [ready, 'ready'],
    [draining, 'draining'],
  ] as const
  const some = counts.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`)
  return some.length > 0 ? some.join(', ') : 'no holder'
}
