// The full-screen view: asks the broker every so often, hears its events, and draws what has changed.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Broker, DrainTarget } from '../../client/index.ts'
import type { HolderView } from '../../protocol/messages.ts'
import { readKeys } from './keys.ts'
import type { Look } from './look.ts'
import { render } from './render.ts'
import { Screen, type Terminal } from './screen.ts'
import { type Effect, EVENTS_KEPT, type Input, initialState, type Question, type TopState } from './state.ts'
import { update } from './update.ts'

/** As the wire takes it: no more keys than that. */
const target = (asked: DrainTarget): DrainTarget => ('name' in asked ? { name: asked.name } : { lease: asked.lease })

/** Events come in bursts; one look serves them all. */
const SETTLE_MS = 200
/** The broker gets at least so many times the rest that its last answer took: a slow one is not asked all the time. */
const REST = 4

export interface LiveOptions {
  terminal: Terminal
  look: Look
  /** Milliseconds between two looks. */
  interval: number
  now(): number
  /** Asks to end, from outside; returns how to stop listening. */
  onStop(stop: () => void): () => void
}

export class Live {
  readonly #broker: Broker
  readonly #options: LiveOptions
  readonly #screen: Screen
  readonly #end = new AbortController()
  #state: TopState
  #failure: unknown
  #drawing = false
  #wake: () => void = () => {}
  #changed = false

  /** Until the operator quits; rejects with what went wrong, the terminal being as it was before. */
  static async run(broker: Broker, options: LiveOptions): Promise<void> {
    // A broker that is not there, or does not let this user look, is told as by any other command.
    await broker.list()
    const live = new Live(broker, options)
    const offs = live.#hear()
    try {
      await live.#run()
    } finally {
      // While it is heard yet that the window is gone: nobody else would take that error.
      live.#screen.close()
      for (const off of offs) off()
    }
    if (live.#failure !== undefined) throw live.#failure
  }

  private constructor(broker: Broker, options: LiveOptions) {
    this.#broker = broker
    this.#options = options
    this.#state = initialState(options.terminal.size(), options.now())
    this.#screen = new Screen(options.terminal)
  }

  async #run(): Promise<void> {
    this.#draw()
    await Promise.all([this.#watch(), this.#listen(), this.#recall()])
  }

  #hear(): (() => void)[] {
    const { terminal, onStop } = this.#options
    const stop = () => this.#stop()
    return [
      onStop(stop),
      terminal.onGone(stop),
      terminal.onKeys((text) => {
        for (const key of readKeys(text)) this.#take({ type: 'key', key })
      }),
      terminal.onResize(() => this.#take({ type: 'resize', size: terminal.size() })),
      terminal.onContinue(() => this.#resume()),
    ]
  }

  #stop(failure?: unknown): void {
    this.#failure ??= failure
    this.#end.abort()
    this.#wake()
  }

  /** Whatever fails in here ends the view, and is reported after the terminal is restored. */
  #take(input: Input): void {
    if (this.#end.signal.aborted) return
    try {
      const [state, effects] = update(this.#state, input)
      this.#state = state
      for (const effect of effects) this.#perform(effect)
      if (this.#drawing) return
      this.#drawing = true
      setImmediate(() => this.#draw())
    } catch (error) {
      this.#stop(error)
    }
  }

  #draw(): void {
    this.#drawing = false
    if (this.#end.signal.aborted) return
    try {
      this.#screen.draw(render(this.#state, this.#options.look))
    } catch (error) {
      this.#stop(error)
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case 'quit':
        return this.#stop()
      case 'suspend':
        this.#screen.leave()
        return this.#options.terminal.suspend()
      case 'redraw':
        return this.#screen.forget()
      case 'look':
        this.#changed = true
        return this.#wake()
      case 'do':
        return void this.#do(effect.question, effect.withDrain)
    }
  }

  #resume(): void {
    this.#screen.enter()
    this.#take({ type: 'resize', size: this.#options.terminal.size() })
  }

  async #do(question: Question, withDrain: boolean): Promise<void> {
    const { signal } = this.#end
    try {
      if (question.verb === 'drain') await this.#broker.drain(target(question), { signal })
      else if (question.verb === 'pause') await this.#broker.pause(question.name, { drain: withDrain, signal })
      else await this.#broker.resume(question.name, { signal })
      const what = 'name' in question ? question.name : `lease ${question.lease}`
      this.#take({ type: 'notice', text: `${question.verb} ${what}: done`, bad: false })
    } catch (error) {
      this.#take({ type: 'notice', text: `${question.verb}: ${(error as Error).message}`, bad: true })
    }
    this.#perform({ type: 'look' })
  }

  /** Looks, and looks again: after the interval, sooner when something happened. */
  async #watch(): Promise<void> {
    const { interval, now } = this.#options
    while (!this.#end.signal.aborted) {
      const begun = performance.now()
      let rest = 0
      this.#changed = false
      try {
        const names = await this.#broker.list({ signal: this.#end.signal })
        const holders = await this.#holders()
        this.#take({ type: 'look', names, holders, at: now() })
        rest = (performance.now() - begun) * REST
      } catch (error) {
        if (this.#end.signal.aborted) return
        this.#take({ type: 'away', why: (error as Error).message, at: now() })
      }
      await this.#sleep(Math.max(SETTLE_MS, rest), false)
      await this.#sleep(Math.max(0, interval - Math.max(SETTLE_MS, rest)), true)
    }
  }

  #holders(): Promise<HolderView[] | undefined> {
    const { opened, rolling, history } = this.#state
    const { signal } = this.#end
    if (opened !== undefined) return this.#broker.holders(opened, { signal })
    // The first time: what is on its way already.
    if (rolling.size > 0 || history.size === 0) return this.#broker.holders(undefined, { undeclared: false, signal })
    return Promise.resolve(undefined)
  }

  /** An operator's own doing is shown at once, events only when the broker has had its rest. */
  #sleep(ms: number, wakeable: boolean): Promise<void> {
    if (this.#end.signal.aborted || ms === 0 || (wakeable && this.#changed)) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        if (!wakeable && !this.#end.signal.aborted) return
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #recall(): Promise<void> {
    try {
      const events = await this.#broker.history({ limit: EVENTS_KEPT, signal: this.#end.signal })
      this.#take({ type: 'past', events })
    } catch {
      // An older broker keeps none, and #watch says why one is not reached.
    }
  }

  async #listen(): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      try {
        for await (const event of this.#broker.events({ signal })) {
          this.#take({ type: 'event', event })
          this.#perform({ type: 'look' })
        }
      } catch {
        // #watch says why the broker is not reached.
        await sleep(this.#options.interval, undefined, { signal }).catch(() => {})
      }
    }
  }
}
