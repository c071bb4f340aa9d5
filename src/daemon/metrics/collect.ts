// The whole text, made when somebody asks for it and in slices, so that nobody's acquire waits for a scrape.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { NameView } from '../../protocol/messages.ts'
import type { Host } from '../host.ts'
import { inSlices } from '../slices.ts'
import { nameViews } from '../views.ts'
import { brokerFigures } from './broker-figures.ts'
import { formatHead, formatSample } from './exposition.ts'
import { BROKER_METRICS, NAME_METRICS, type Whole } from './table.ts'

const LAG_RESOLUTION_MS = 10

export class Collector {
  private readonly broker: Host
  private readonly lag: IntervalHistogram

  constructor(broker: Host) {
    this.broker = broker
    this.lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
    this.lag.enable()
  }

  async collect(): Promise<string> {
    const { counters, registry, sessions } = this.broker
    const whole: Whole = {
      counters,
      figures: brokerFigures(),
      connections: sessions.size,
      names: registry.names.size,
      lag: this.takeLag(),
    }
    let text = ''
    for (const [name, { type, help, samples }] of Object.entries(BROKER_METRICS)) {
      text += formatHead(name, type, help)
      for (const sample of samples(whole)) text += formatSample(name, sample)
    }
    const views: NameView[] = []
    await inSlices(nameViews(this.broker), (view) => views.push(view))
    for (const [name, { type, help, samples }] of Object.entries(NAME_METRICS)) {
      text += formatHead(name, type, help)
      await inSlices(views, (view) => {
        for (const sample of samples(view, counters.names.of(view.name))) text += formatSample(name, sample)
      })
    }
    return text
  }

  /** The timer that it measures by counts too: what it should take is not lag. */
  private takeLag(): Whole['lag'] {
    const seconds = (ns: number) => Math.max(0, ns / 1e9 - LAG_RESOLUTION_MS / 1000)
    const lag = { p99: seconds(this.lag.percentile(99)), max: seconds(this.lag.max) }
    this.lag.reset()
    return lag
  }

  close(): void {
    this.lag.disable()
  }
}
