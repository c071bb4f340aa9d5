// What an input makes of the state, and what is to be done: (state, input) -> [state, effects].

import type { BrokerEvent } from '../../client/index.ts'
import type { HolderView, NameView } from '../../protocol/messages.ts'
import { pressKey } from './press-key.ts'
import { fullest } from './rows.ts'
import { EVENTS_KEPT, HISTORY_KEPT, type Input, type Step, type TopState } from './state.ts'

export function update(state: TopState, input: Input): Step {
  switch (input.type) {
    case 'key':
      return pressKey(state, input.key)
    case 'resize':
      return [{ ...state, size: input.size }, [{ type: 'redraw' }]]
    case 'look':
      return [look(state, input.names, input.holders, input.at), []]
    case 'event':
      return [addEvent(state, input.event), []]
    case 'past':
      return [addPast(state, input.events), []]
    case 'away':
      return [{ ...state, away: input.why, now: input.at }, []]
    case 'notice':
      return [{ ...state, notice: { text: input.text, bad: input.bad } }, []]
  }
}

function look(
  state: TopState,
  names: readonly NameView[],
  holders: readonly HolderView[] | undefined,
  now: number,
): TopState {
  const opened = names.some(({ name }) => name === state.opened) ? state.opened : undefined
  return {
    ...state,
    names,
    holders: holders ?? [],
    rolling: holders === undefined || state.opened !== undefined ? state.rolling : rollingOf(names, holders),
    history: lengthen(state.history, names),
    opened,
    away: undefined,
    now,
  }
}

/** Names whose holders are not all of the current generation. */
function rollingOf(names: readonly NameView[], holders: readonly HolderView[]): Set<string> {
  const current = new Map(names.map(({ name, generation }) => [name, generation]))
  const others = holders.filter(({ lease, name, generation }) => lease !== null && generation !== current.get(name))
  return new Set(others.map(({ name }) => name))
}

function lengthen(history: TopState['history'], names: readonly NameView[]): Map<string, readonly number[]> {
  const figure = (view: NameView) => fullest(view)?.queue ?? 0
  return new Map(
    names.map((view) => [view.name, [...(history.get(view.name) ?? []), figure(view)].slice(-HISTORY_KEPT)]),
  )
}

/** The broker may have told some of it as it happened, too. */
function addPast(state: TopState, past: readonly BrokerEvent[]): TopState {
  const key = ({ event, at, name, lease }: BrokerEvent) => JSON.stringify([event, at, name, lease])
  const told = new Set(state.events.map(key))
  const events = past.filter((event) => !told.has(key(event))).map(({ seq: _seq, ...event }) => event as BrokerEvent)
  return { ...state, events: [...events, ...state.events].slice(-EVENTS_KEPT) }
}

function addEvent(state: TopState, event: BrokerEvent): TopState {
  const { name, generation } = event
  const current = state.names.find((view) => view.name === name)?.generation
  const opens = event.event === 'granted' && name !== undefined && generation !== undefined && generation !== current
  return {
    ...state,
    events: [...state.events.slice(1 - EVENTS_KEPT), event],
    rolling: opens ? new Set([...state.rolling, name]) : state.rolling,
  }
}
