// The life of a broker without keeper: control path and lock, sockets, control listener; then signals; then the end. What a
// failed start undoes is what an ordinary end undoes, in reverse order.

import {
  ControlListener,
  notify,
  prepareControlPath,
  prepareNotifyDirectory,
  releaseControlPath,
  releaseNotifyDirectory,
} from '../sys/index.ts'
import { Broker, notifyDirectory } from './broker.ts'
import type { Config } from './config/model.ts'
import { giveUpRoot } from './give-up-root.ts'
import type { Log } from './log.ts'
import { Sockets } from './sockets.ts'

export type StopSignal = 'SIGTERM' | 'SIGINT'

export interface Signals {
  /** Calls back at each SIGTERM or SIGINT, until the returned function is called. */
  onStop(stop: (signal: StopSignal) => void): () => void
  /** Calls back at each SIGHUP, which would otherwise kill the broker, until the returned function is called. */
  onHangup(hangup: () => void): () => void
  /**
   * Calls back at each SIGUSR1, until the returned function is called. Node would open its debugger on 127.0.0.1:9229, where
   * every local user could run code as the broker (nodejs.org/api/process.html#signal-events).
   */
  onDebug(debug: () => void): () => void
}

/** Serves until told to stop; resolves to the exit status. Rejects when the broker cannot start; nothing is left then. */
export async function serve(config: Config, log: Log, signals: Signals): Promise<number> {
  const stop = { act: (_signal: StopSignal) => {} }
  // Before anything is made: a signal during the start waits for its end, and then undoes it as at any other time.
  const undo = [
    signals.onStop((signal) => stop.act(signal)),
    signals.onHangup(() => log.warn('SIGHUP: reload is not in this version; restart the broker for a new config')),
    signals.onDebug(() => log.warn('SIGUSR1: ignored; it would open a debugger to every user of this host')),
  ]
  try {
    const { control, controlMode } = config.broker
    const path = prepareControlPath(control, config.broker.user?.uid)
    undo.push(() => releaseControlPath(control, path))
    prepareNotifyDirectory(notifyDirectory(config), config.broker.user?.uid)
    undo.push(() => releaseNotifyDirectory(notifyDirectory(config)))
    const sockets = new Sockets()
    sockets.open(config.names.values())
    undo.push(() => sockets.closeAll())
    const broker = new Broker(config, sockets, log)
    undo.push(() => broker.close())
    const listener = ControlListener.listen(control, controlMode, (fd) => broker.accept(fd), {
      onExhausted: (errno) =>
        log.error({ errno }, 'accepting stopped for a moment: out of descriptors or memory; see RLIMIT_NOFILE'),
    })
    undo.push(() => {
      listener.removePath()
      listener.close()
    })
    giveUpRoot(config, log, [...path.made, notifyDirectory(config)])
    announce(config, sockets, log)
    return await untilStopped(broker, log, stop)
  } finally {
    for (const step of undo.reverse()) step()
  }
}

function announce(config: Config, sockets: Sockets, log: Log): void {
  for (const name of config.names.keys()) {
    log.info({ name, sockets: sockets.descriptions(name).map(({ address }) => address) }, 'bound')
  }
  log.info({ control: config.broker.control, names: config.names.size, pid: process.pid }, 'serving')
  notify(`READY=1\nSTATUS=${config.names.size} names`)
}

/** The first signal drains the holders and waits for them; the second ends at once. */
function untilStopped(broker: Broker, log: Log, stop: { act(signal: StopSignal): void }): Promise<number> {
  return new Promise((resolve) => {
    stop.act = (signal) => {
      log.info({ signal, leases: broker.registry.leases.size }, 'stopping: holders are asked to drain')
      notify('STOPPING=1')
      stop.act = (second) => {
        log.warn({ signal: second }, 'second signal: ending at once')
        resolve(second === 'SIGTERM' ? 143 : 130)
      }
      broker.drainAll().then(() => {
        const { size } = broker.registry.leases
        if (size > 0) log.warn({ leases: size }, 'stopped: drain_timeout is over, these leases had not ended')
        else log.info('stopped')
        resolve(0)
      })
    }
  })
}
