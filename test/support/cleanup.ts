// What a test started ends with it, in reverse order, before descriptors are counted: vitest runs onTestFinished only after
// afterEach, so both call the same stack.

import { onTestFinished } from 'vitest'

type Step = () => unknown

let steps: Step[] = []

export function atEnd(step: Step): void {
  steps.push(step)
  onTestFinished(runCleanups)
}

export async function runCleanups(): Promise<void> {
  const due = steps.reverse()
  steps = []
  for (const step of due) await step()
}
