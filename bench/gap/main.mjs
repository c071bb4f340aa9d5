// What a client sees of a worker that ends: by a crash, and by a release under load.

import { crashes } from './crashes.mjs'
import { takeovers } from './takeovers.mjs'

export async function run({ quick }) {
  return {
    title: 'Gap: a worker crashes, or is replaced',
    notes: [
      `crashes: kill -9 of the worker that answers, a client asks each millisecond; refused: connections refused or reset until then, in all`,
      `takeovers: each release is a new process; ms; "during": what overlaps a takeover or the 200 ms after it; "before": the rest`,
    ],
    tables: [await crashes({ quick }), ...(await takeovers({ quick }))],
  }
}
