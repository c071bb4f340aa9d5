// One row a key. What changes something is a question first.

import { SORTS, visibleNames } from './rows.ts'
import type { Question, Step, TopState } from './state.ts'

type Action = (state: TopState) => Step

const QUIT: Step[1] = [{ type: 'quit' }]
/** Title, heading, rule, keys and a few events: what of the window is not rows. */
const NOT_ROWS = 8

export function pressKey(before: TopState, key: string): Step {
  const state = { ...before, notice: undefined }
  if (key === 'ctrl-c') return [state, QUIT]
  if (key === 'ctrl-z') return [state, [{ type: 'suspend' }]]
  if (key === 'ctrl-l') return [state, [{ type: 'redraw' }]]
  if (state.question) return answer(state, state.question, key)
  if (state.mode === 'filter') return editFilter(state, key)
  if (state.mode === 'help') return [{ ...state, mode: 'browse' }, key === 'q' ? QUIT : []]
  return ACTIONS[key]?.(state) ?? [state, []]
}

const ACTIONS: Readonly<Record<string, Action>> = {
  q: (state) => [state, QUIT],
  '?': (state) => [{ ...state, mode: 'help' }, []],
  h: (state) => [{ ...state, mode: 'help' }, []],
  s: (state) => [{ ...state, sort: SORTS[(SORTS.indexOf(state.sort) + 1) % SORTS.length]! }, []],
  '/': (state) => [{ ...state, mode: 'filter', opened: undefined }, []],
  up: (state) => move(state, -1),
  k: (state) => move(state, -1),
  down: (state) => move(state, 1),
  j: (state) => move(state, 1),
  'page-up': (state) => move(state, -page(state)),
  'page-down': (state) => move(state, page(state)),
  home: (state) => move(state, Number.NEGATIVE_INFINITY),
  g: (state) => move(state, Number.NEGATIVE_INFINITY),
  end: (state) => move(state, Number.POSITIVE_INFINITY),
  G: (state) => move(state, Number.POSITIVE_INFINITY),
  enter: open,
  right: open,
  escape: back,
  left: back,
  backspace: back,
  d: (state) => ask(state, (name) => ({ verb: 'drain', name })),
  p: (state) => ask(state, (name) => ({ verb: isPaused(state, name) ? 'resume' : 'pause', name })),
  D: askLease,
}

const page = ({ size }: TopState) => Math.max(1, size.rows - NOT_ROWS)

const isPaused = ({ names }: TopState, name: string) =>
  names.some((view) => view.name === name && view.state === 'paused')

/** The row under the cursor: the first when it was never moved, or its row is gone. */
export function selectedName({ names, filter, sort, selected }: TopState): string | undefined {
  const rows = visibleNames(names, filter, sort)
  return rows.some(({ name }) => name === selected) ? selected : rows[0]?.name
}

function leasesOf(holders: TopState['holders'], opened: string | undefined): number[] {
  return holders.flatMap(({ name, lease }) => (name === opened && lease !== null ? [lease] : []))
}

export function selectedLease({ holders, opened, selectedLease }: TopState): number | undefined {
  const leases = leasesOf(holders, opened)
  return selectedLease !== undefined && leases.includes(selectedLease) ? selectedLease : leases[0]
}

function move(state: TopState, by: number): Step {
  if (state.opened !== undefined) {
    const leases = leasesOf(state.holders, state.opened)
    return [{ ...state, selectedLease: step(leases, (lease) => lease === selectedLease(state), by) }, []]
  }
  const rows = visibleNames(state.names, state.filter, state.sort)
  const current = selectedName(state)
  return [{ ...state, selected: step(rows, ({ name }) => name === current, by)?.name }, []]
}

function step<Row>(rows: readonly Row[], isCurrent: (row: Row) => boolean, by: number): Row | undefined {
  const to = Math.min(rows.length - 1, Math.max(0, rows.findIndex(isCurrent) + by))
  return rows[to]
}

function open(state: TopState): Step {
  const opened = state.opened ?? selectedName(state)
  if (opened === undefined) return [state, []]
  return [{ ...state, opened, selected: opened, selectedLease: undefined }, [{ type: 'look' }]]
}

/** One step out: of the opened name, then of the filter. */
function back(state: TopState): Step {
  if (state.opened !== undefined) return [{ ...state, opened: undefined }, [{ type: 'look' }]]
  return [{ ...state, filter: '' }, []]
}

function ask(state: TopState, question: (name: string) => Question): Step {
  const name = state.opened ?? selectedName(state)
  return name === undefined ? [state, []] : [{ ...state, question: question(name) }, []]
}

function askLease(state: TopState): Step {
  const lease = selectedLease(state)
  return lease === undefined ? [state, []] : [{ ...state, question: { verb: 'drain', lease } }, []]
}

/** Only a plain yes is one. */
function answer(state: TopState, question: Question, key: string): Step {
  const asked = { ...state, question: undefined }
  const withDrain = question.verb === 'pause' && key === 'd'
  if (key !== 'y' && !withDrain) return [{ ...asked, notice: { text: `${question.verb}: not done`, bad: false } }, []]
  return [asked, [{ type: 'do', question, withDrain }]]
}

function editFilter(state: TopState, key: string): Step {
  const { filter } = state
  if (key === 'enter') return [{ ...state, mode: 'browse' }, []]
  if (key === 'escape') return [{ ...state, mode: 'browse', filter: '' }, []]
  if (key === 'backspace') return [{ ...state, filter: [...filter].slice(0, -1).join('') }, []]
  if (key === 'ctrl-u') return [{ ...state, filter: '' }, []]
  if (key === 'up' || key === 'down') return move(state, key === 'up' ? -1 : 1)
  return [[...key].length === 1 ? { ...state, filter: filter + key } : state, []]
}
