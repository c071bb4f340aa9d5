// Node, the kernel, and its settings.

import { type Facts, goodConfig } from './facts.ts'
import { type Finding, finding } from './finding.ts'

type Check = (facts: Facts) => Finding[]

const NODE_LEAST = [20, 19]
const KERNEL_LEAST = [5, 10]

const numbers = (text: string) => text.split('.').map((part) => Number.parseInt(part, 10))

export function isAtLeast(text: string, [major = 0, minor = 0]: readonly number[]): boolean {
  const [ownMajor = 0, ownMinor = 0] = numbers(text)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}

const node: Check = ({ node }) =>
  isAtLeast(node, NODE_LEAST)
    ? [finding('node', 'ok', node)]
    : [finding('node', 'problem', `${node} is too old`, `install Node.js ${NODE_LEAST.join('.')} or later`)]

const kernel: Check = ({ kernel }) =>
  isAtLeast(kernel, KERNEL_LEAST)
    ? [finding('kernel', 'ok', `Linux ${kernel}`)]
    : [finding('kernel', 'problem', `Linux ${kernel} is too old`, `use Linux ${KERNEL_LEAST.join('.')} or later`)]

interface Feature {
  name: string
  since: string
  present(facts: Facts): boolean
  gives: string
  without: string
}

const FEATURES: readonly Feature[] = [
  {
    name: 'SO_PASSRIGHTS',
    since: '6.16',
    present: ({ passRights }) => passRights,
    gives: 'nobody can push descriptors at the broker',
    without: 'descriptors that peers push are closed off the main thread',
  },
  {
    name: 'pidfs',
    since: '6.9',
    present: ({ pidfs }) => pidfs,
    gives: 'after a restart a holder is known by a number that is never used again',
    without: 'after a restart a holder is known by its pid and start time',
  },
  {
    name: 'SO_PEERPIDFD',
    since: '6.5',
    present: ({ kernel }) => isAtLeast(kernel, [6, 5]),
    gives: 'the kernel itself hands over the process behind a connection',
    without: 'the process behind a connection is opened by pid, and its start time compared',
  },
  {
    name: 'SO_ATTACH_FILTER',
    since: '6.18.44',
    present: ({ guardedFilters }) => guardedFilters,
    gives: 'no holder without CAP_NET_ADMIN can attach a filter to a TCP listener',
    without:
      'any holder could attach a filter to a TCP listener; the broker locks its own, which then take none from anybody',
  },
]

const features: Check = (facts) =>
  FEATURES.map(({ name, since, present, gives, without }) =>
    present(facts)
      ? finding(name, 'ok', gives)
      : finding(name, 'note', `not on this kernel: ${without}`, `nothing has to be done; Linux ${since} has it`),
  )

/** What the kernel makes of the backlogs of the config. */
const backlogs: Check = (facts) => {
  const { somaxconn } = facts
  if (somaxconn === undefined) return []
  const names = [...(goodConfig(facts)?.names.values() ?? [])]
  const cut = names.filter(({ backlog }) => backlog > somaxconn)
  const most = Math.max(0, ...names.map(({ backlog }) => backlog))
  if (cut.length === 0) return [finding('somaxconn', 'ok', `${somaxconn}, and no backlog is above it`)]
  const who = cut.length > 3 ? `${cut.length} names` : cut.map(({ core }) => core.name).join(', ')
  const remedy = `sysctl -w net.core.somaxconn=${most} (and in /etc/sysctl.d), or a lower backlog`
  return [finding('somaxconn', 'warning', `the backlog of ${who} is cut to ${somaxconn}`, remedy)]
}

export const KERNEL_CHECKS: readonly Check[] = [node, kernel, features, backlogs]
