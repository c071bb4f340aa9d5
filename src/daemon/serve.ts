// The life of a broker: control path and lock, sockets, control listener; then signals; then the end. What a failed start undoes is
// what an ordinary end undoes, in reverse order. Under a keeper the start takes back what the broker before had; one that fails then
// undoes nothing, because the next finds its way as after a death, and would not find what had been undone.

import { basename, join } from 'node:path'
import { counted } from '../protocol/counted.ts'
import {
  type ControlListener,
  holdNotify,
  NO_STORE,
  prepareNotifyDirectory,
  releaseControlPath,
  releaseNotifyDirectory,
  removeDirectories,
  resumeNotify,
  takeHeldNotify,
  takePassedFds,
} from '../sys/index.ts'
import { Broker } from './broker.ts'
import type { Config } from './config/model.ts'
import { lockControl, openControl } from './control-socket.ts'
import { giveUpRoot } from './give-up-root.ts'
import type { Keeping } from './keeping.ts'
import { KeptDescriptors } from './kept-descriptors.ts'
import type { Log } from './log.ts'
import { OpenConnections } from './open-connections.ts'
import { keptNotifyNames, notifyDirectory } from './process-bound.ts'
import { onFirstStandby, rehearse } from './rehearsal.ts'
import { type ReadConfig, Reloader, type ReloadResult } from './reload/reload.ts'
import type { Signals, StopSignal } from './signals.ts'
import { Sockets } from './sockets.ts'
import { SocketsAhead } from './sockets-ahead.ts'
import { readState, type StateReading } from './state/read-state.ts'
import { drainingNames } from './state/removed-names.ts'
import { SocketInventory } from './state/socket-inventory.ts'
import { makeStateDirectory } from './state/state-directory.ts'
import { ServiceManager } from './systemd/service-manager.ts'
import { SystemdStore } from './systemd/systemd-store.ts'
import { Upgrade } from './upgrade.ts'

/**
 * Serves until told to stop; resolves to the exit status. Rejects when the broker cannot start. What it has not undone by then ends with
 * this process: nothing is left where nothing was before, and else all that there was.
 */
export async function serve(
  config: Config,
  read: ReadConfig,
  log: Log,
  direct: Signals,
  keeping?: Keeping,
  reading?: StateReading,
): Promise<number> {
  const early: StopSignal[] = []
  const stop: Stop = { act: (signal) => void early.push(signal), stopping: false }
  /** A SIGHUP during the start: the config may have been read already, and after a death is not read at all. */
  let rereads = false
  let hangup = () => {
    rereads = true
  }
  /** An end undoes nothing: another broker serves with these very sockets and paths, or is to find all of it. */
  let left = keeping !== undefined && keeping.keeper.hello.role !== 'first'
  const signals = keeping?.signals ?? direct
  // Before anything is made: a signal during the start waits for its end, and then undoes it as at any other time.
  const undo = [
    signals.onStop((signal) => stop.act(signal)),
    signals.onHangup(() => hangup()),
    signals.onDebug(() => log.warn('SIGUSR1: ignored; it would open a debugger to every user of this host')),
  ]
  const givesWay = () => keeping?.keeper.isCandidate === true
  try {
    const manager = new ServiceManager(process.env, log)
    undo.push(() => manager.close())
    const keeper = keeping?.keeper ?? NO_STORE
    const store = new SystemdStore(keeper, manager.notices, takePassedFds(process.env), { held: givesWay(), log })
    undo.push(() => store.close())
    const ahead = givesWay() ? new SocketsAhead(config, keeping!.keeper) : undefined
    if (givesWay()) await keeping!.prepared()
    const kept = new KeptDescriptors(store)
    undo.push(() => kept.close())
    left ||= kept.keys().length > 0
    const path = lockControl(config, kept, keeping)
    undo.push(() => releaseControlPath(config.broker.control, path))
    const stateMade = makeStateDirectory(config.broker.stateDir, log)
    undo.push(() => removeDirectories(stateMade))
    const { folded, written } = readState(kept, log, reading)
    const notifiers = { owner: config.broker.user?.uid, kept: keptNotifyNames(kept) }
    prepareNotifyDirectory(notifyDirectory(config), notifiers)
    undo.push(() => releaseNotifyDirectory(notifyDirectory(config)))
    const inventory = new SocketInventory(inventoryPath(config), log)
    const sockets = new Sockets(kept, inventory, ahead)
    // The new broker of an upgrade may fail: the one before goes on.
    const models = [...config.names.values(), ...drainingNames(folded, config.names, kept)]
    sockets.open(models, (name) => !givesWay() && folded.values.has(`name/${name}`))
    undo.push(() => sockets.closeAll())
    left ||= sockets.inherited
    const broker = new Broker(config, sockets, log, { kept, folded, written, ahead })
    undo.push(() => broker.close())
    broker.onStandby = onFirstStandby(() => rehearse(config), log)
    broker.counters.restarts = keeping?.keeper.hello.deaths ?? 0
    const reloader = new Reloader(broker, read, log)
    broker.operator = {
      reload(how) {
        // The new broker has read the former configuration.
        if (!how.dryRun) broker.upgrade?.giveUp('BUSY', 'the broker was told to reload')
        return telling(manager, () => reloader.run(how), how.dryRun)
      },
      shutdown: () => stop.stopping || stop.act('SIGINT'),
    }
    hangup = () => {
      try {
        broker.operator.reload({ dryRun: false })
      } catch (error) {
        log.error({ err: error }, 'reload failed')
      }
    }
    const listener = openControl(config, kept, (fd) => broker.accept(fd), log)
    undo.push(() => {
      listener.removePath()
      listener.close()
    })
    const { metrics } = config.broker
    if (metrics !== undefined) {
      const { MetricsServer } = await import('./metrics/server.ts')
      const server = await MetricsServer.listen(metrics, broker, log, kept)
      undo.push(() => server.close())
    }
    giveUpRoot(config, log, [...path.made, ...stateMade, notifyDirectory(config)])
    if (givesWay()) await keeping!.takenOver()
    store.begin()
    broker.begin()
    const connections = new OpenConnections(broker, kept)
    if (keeping) connections.takeOver(keeping.keeper.hello.lastPid)
    const dropped = kept.dropRest()
    if (dropped.length > 0) log.warn({ keys: dropped }, 'kept from before, and of no use any more: closed')
    listener.resume()
    left = true
    keeping?.keeper.serving()
    store.settled()
    announce(config, sockets, log)
    manager.ready(() => describe(broker), keeping?.keeper.pid)
    // Nobody waits for that.
    sockets.removeStrays()
    const stopped = untilStopped(broker, manager, log, stop)
    if (rereads) hangup()
    for (const signal of early) stop.act(signal)
    const status = keeping
      ? await Promise.race([stopped, untilReplaced({ broker, listener, connections, keeping, stop }, log)])
      : await stopped
    left = status === 'replaced' || status === 'kept'
    if (status === 'replaced') return 0
    if (status === 'kept') await leave(broker, manager, log)
    if (keeping && !(await endKeeper(keeping, log))) left = true
    return status === 'kept' ? 0 : status
  } finally {
    if (!left) for (const step of undo.reverse()) step()
  }
}

/** One for each control path. */
function inventoryPath({ broker: { stateDir, control } }: Config): string {
  return join(stateDir, `${basename(control)}.sockets`)
}

function announce(config: Config, sockets: Sockets, log: Log): void {
  for (const name of config.names.keys()) {
    const { bound, taken } = sockets.origins(name)
    if (taken.length > 0) log.info({ name, sockets: taken }, 'taken over')
    if (bound.length > 0) log.info({ name, sockets: bound }, 'bound')
  }
  log.info({ control: config.broker.control, names: config.names.size, pid: process.pid }, 'serving')
}

/** For `systemctl status`. */
function describe({ registry }: Broker): string {
  const { names, leases } = registry
  return `${counted(names.size, 'name')}, ${counted(leases.size, 'holder')}`
}

/** The service manager waits for READY=1 (systemd.service(5), Type=notify-reload). */
function telling(manager: ServiceManager, reload: () => ReloadResult, silent: boolean): ReloadResult {
  if (silent) return reload()
  manager.reloading()
  try {
    return reload()
  } finally {
    manager.reloaded()
  }
}

interface Stop {
  act(signal: StopSignal): void
  stopping: boolean
}

/** The first signal drains the holders and waits for them; the second ends at once. */
function untilStopped(broker: Broker, manager: ServiceManager, log: Log, stop: Stop): Promise<number | 'kept'> {
  return new Promise((resolve) => {
    stop.act = async (signal) => {
      stop.stopping = true
      stop.act = (second) => {
        log.warn({ signal: second }, 'second signal: ending at once')
        resolve(second === 'SIGTERM' ? 143 : 130)
      }
      await broker.upgrade?.stop('BUSY', 'the broker was told to stop')
      manager.stopping()
      if (signal === 'SIGTERM' && (await manager.storesDescriptors())) return resolve('kept')
      log.info({ signal, leases: broker.registry.leases.size }, 'stopping: holders are asked to drain')
      await broker.drainAll()
      const { size } = broker.registry.leases
      if (size > 0) log.warn({ leases: size }, 'stopped: drain_timeout is over, these leases had not ended')
      else log.info('stopped')
      resolve(0)
    }
  })
}

interface Replaceable {
  broker: Broker
  listener: ControlListener
  connections: OpenConnections
  keeping: Keeping
  stop: Readonly<Stop>
}

/** Resolves once an upgrade has put another broker in place of this one, whose clients have been told. */
function untilReplaced({ broker, listener, connections, keeping, stop }: Replaceable, log: Log): Promise<'replaced'> {
  return new Promise((resolve) => {
    const host = {
      hush: holdNotify,
      unhush: resumeNotify,
      freeze: () => {
        takeHeldNotify()
        listener.pause()
        broker.freeze()
        connections.share()
      },
      thaw: () => {
        connections.unshare()
        broker.thaw()
        listener.resume()
        resumeNotify()
      },
      retire: () => {
        connections.leave()
        resolve('replaced')
      },
      isStopping: () => stop.stopping,
    }
    broker.upgrade = new Upgrade(keeping, host, log)
  })
}

/** One that does not hear of the end takes it for a death, and is to find everything then: false. */
async function endKeeper({ keeper }: Keeping, log: Log): Promise<boolean> {
  const hears = await keeper.caughtUp()
  if (hears) keeper.ending()
  else
    log.error(
      { pid: keeper.pid },
      'the keeper takes nothing, maybe stopped: it will start another broker when it goes on',
    )
  return hears
}

/** systemd has the sockets and the state: the next broker goes on with them, and with every lease. */
async function leave(broker: Broker, manager: ServiceManager, log: Log): Promise<void> {
  log.info({ leases: broker.registry.leases.size }, 'stopping: systemd keeps the sockets and the leases')
  await holdNotify()
  takeHeldNotify()
  broker.freeze()
  for (const session of [...broker.sessions.values()]) session.farewell({ event: 'reconnect' }, () => {})
  await manager.notices.sent()
}
