// Workers in Python: processes of any user, related to nobody, that talk to the broker by docs/protocol.md alone.

import { chmodSync, copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Python, startPython } from './python.ts'

const SOURCES = resolve(import.meta.dirname, '../python')
const MODULES = [
  'fdbroker.py',
  'msgpack_lite.py',
  'serving.py',
  'check_broker.py',
  'broker_facts.py',
  'broker_probe.py',
]

/** Puts the client where every user can read it: a checkout may lie in a home directory. */
export function copyClient(directory: string): string {
  const target = join(directory, 'client')
  if (existsSync(target)) return target
  mkdirSync(target)
  chmodSync(target, 0o755)
  for (const module of MODULES) {
    copyFileSync(join(SOURCES, module), join(target, module))
    chmodSync(join(target, module), 0o644)
  }
  return target
}

/**
 * A process that has `connect()`, which says hello, `granted(name)`, which acquires and closes the descriptors, and `code(…)`,
 * which gives the error code of a refusal. `uid`: started as that user.
 */
export function startWorker(daemon: { directory: string; control: string }, program: string, uid?: number): Python {
  return startPython(PRELUDE + program, [copyClient(daemon.directory), daemon.control], uid)
}

const PRELUDE = `
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from fdbroker import BrokerError, Connection, close_all
def connect():
    broker = Connection(sys.argv[2], timeout=30)
    broker.hello()
    return broker
def granted(broker, name, **arguments):
    lease = broker.acquire(name, **arguments)
    close_all(lease.fds)
    return lease
def code(run, *arguments, **keys):
    try:
        run(*arguments, **keys)
        return 'ok'
    except BrokerError as error:
        return error.code
`
