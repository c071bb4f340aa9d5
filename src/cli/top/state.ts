// What `top` knows, and what it is told. Nothing here touches a terminal or a broker.

import type { BrokerEvent } from '../../client/index.ts'
import type { HolderView, NameView } from '../../protocol/messages.ts'
import type { Sort } from './rows.ts'

export interface Size {
  columns: number
  rows: number
}

/** Asked before it is done. */
export type Question =
  | { verb: 'drain'; name: string }
  | { verb: 'drain'; lease: number }
  | { verb: 'pause'; name: string }
  | { verb: 'resume'; name: string }

export interface TopState {
  size: Size
  names: readonly NameView[]
  /** Of the opened name, or of all while some generation is on its way. */
  holders: readonly HolderView[]
  /** Names of which a generation besides the current one has holders. */
  rolling: ReadonlySet<string>
  /** How full the fullest socket of a name was, at each look. */
  history: ReadonlyMap<string, readonly number[]>
  /** The newest last. */
  events: readonly BrokerEvent[]
  sort: Sort
  filter: string
  /** By name, so that it stays on the row when the rows move. */
  selected?: string | undefined
  opened?: string | undefined
  selectedLease?: number | undefined
  mode: 'browse' | 'filter' | 'help'
  question?: Question | undefined
  notice?: { text: string; bad: boolean } | undefined
  /** Why the broker is not reached. */
  away?: string | undefined
  now: number
}

export type Input =
  | { type: 'key'; key: string }
  | { type: 'resize'; size: Size }
  | { type: 'look'; names: readonly NameView[]; holders: readonly HolderView[] | undefined; at: number }
  | { type: 'event'; event: BrokerEvent }
  /** What happened before anybody looked. */
  | { type: 'past'; events: readonly BrokerEvent[] }
  | { type: 'away'; why: string; at: number }
  | { type: 'notice'; text: string; bad: boolean }

export type Effect =
  | { type: 'quit' }
  | { type: 'suspend' }
  | { type: 'redraw' }
  /** The figures on the screen are of something else now. */
  | { type: 'look' }
  | { type: 'do'; question: Question; withDrain: boolean }

export type Step = readonly [TopState, readonly Effect[]]

export const EVENTS_KEPT = 500
export const HISTORY_KEPT = 60

export function initialState(size: Size, now: number): TopState {
  return {
    size,
    names: [],
    holders: [],
    rolling: new Set(),
    history: new Map(),
    events: [],
    sort: 'config',
    filter: '',
    mode: 'browse',
    now,
  }
}
