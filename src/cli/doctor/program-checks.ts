// The parts of the package, the unit, and the broker that runs.

import type { Facts, Loaded } from './facts.ts'
import { type Finding, finding, type Level } from './finding.ts'

type Check = (facts: Facts) => Finding[]

const part =
  (name: string, pick: (facts: Facts) => Loaded, level: Level, remedy: string): Check =>
  (facts) => {
    const loaded = pick(facts)
    return 'what' in loaded ? [finding(name, 'ok', loaded.what)] : [finding(name, level, loaded.why, remedy)]
  }

const addon = part(
  'addon',
  ({ addon }) => addon,
  'problem',
  'install the package again, or build it: npm run build:native',
)
const keeper = part(
  'keeper',
  ({ keeper }) => keeper,
  'problem',
  'install the package again or build it (npm run build:native); `serve --no-keeper` does without',
)
const unixDgram = part(
  'unix-dgram',
  ({ unixDgram }) => unixDgram,
  'note',
  'nothing has to be done: the addon sends what it would have sent',
)

const unit: Check = ({ unit, systemd }) => {
  if (unit === undefined) {
    if (!systemd)
      return [finding('unit', 'note', 'systemd does not run here', 'have something start `fd-broker serve` at boot')]
    return [
      finding(
        'unit',
        'note',
        'fd-broker.service is not installed',
        'copy it from the package’s deploy/ for a start at boot',
      ),
    ]
  }
  const { file, state } = unit
  if (state === 'active') return [finding('unit', 'ok', `${file}: active`)]
  const remedy = 'systemctl status fd-broker; systemctl start fd-broker'
  return [finding('unit', state === 'failed' ? 'problem' : 'warning', `${file}: ${state}`, remedy)]
}

const broker: Check = ({ broker, version }) => {
  const { path } = broker
  if (broker.is === 'absent') {
    return [
      finding(
        'broker',
        'warning',
        `no broker at ${path}`,
        'start it: fd-broker serve, or systemctl start fd-broker; or name its socket: --socket',
      ),
    ]
  }
  if (broker.is === 'refusing') return [finding('broker', 'problem', `${path}: ${broker.why}`, 'look at its log')]
  const says = `${broker.version} answers at ${path}, pid ${broker.pid}`
  if (broker.version === `fd-broker/${version}`) return [finding('broker', 'ok', says)]
  return [
    finding(
      'broker',
      'warning',
      `${says}; this is fd-broker/${version}`,
      'have it run this version: fd-broker upgrade, or restart it',
    ),
  ]
}

export const PROGRAM_CHECKS: readonly Check[] = [addon, keeper, unixDgram, unit, broker]
