// The keys of [broker].

import { key, optional } from './key.ts'
import { account, count, duration, metricsAddress, octalMode, path, texts } from './kinds.ts'
import { DIRECTORY_PATH_MAX, LONGEST_MS, LONGEST_WHY, RULES_MAX, SOCKET_PATH_MAX } from './limits.ts'

const rules = () => texts('list of rules', 'a rule', RULES_MAX, 'every request walks the list')
const atLeast1ms = { min: 1, max: LONGEST_MS, why: LONGEST_WHY }

export const BROKER_KEYS = {
  control: optional(path(SOCKET_PATH_MAX, 'the kernel’s limit for a Unix socket'), {
    default: '`"/run/fd-broker/control.sock"`; as a user `$XDG_RUNTIME_DIR/fd-broker/control.sock`',
    example: '"/run/fd-broker/control.sock"',
    doc: 'the control socket, where workers and operators connect',
  }),
  control_mode: key(octalMode(), {
    default: '"0666"',
    example: '"0660"',
    doc: 'who may connect to the control socket; what they may do there is decided by rules',
  }),
  admins: optional(rules(), {
    default: 'root and the broker’s own user',
    example: '["user:root", "group:wheel"]',
    doc: 'rules for who may drain, pause, resume, reload, upgrade and shut down; admins are exempt from quotas',
  }),
  viewers: key(rules(), {
    default: '[]',
    example: '["group:adm"]',
    doc: 'rules for who may list names and holders; admins always may',
  }),
  state_dir: optional(path(DIRECTORY_PATH_MAX, 'files below it need room within PATH_MAX'), {
    default: 'the directory of `control`',
    example: '"/var/lib/fd-broker"',
    doc: 'where the broker, which makes the directory, lists its sockets (`CONTROL.sockets`), to know them again in its workers should the keeper die with it',
  }),
  hello_timeout: key(duration(atLeast1ms), {
    default: '"5s"',
    example: '"2s"',
    doc: 'a connection that has not said hello by then is closed',
  }),
  reclaim_timeout: key(duration({ min: 0, max: LONGEST_MS, why: LONGEST_WHY }), {
    default: '"10s"',
    example: '"30s"',
    doc: 'after a restart of the broker, a lease that its holder has not reclaimed by then has died',
  }),
  max_connections_per_uid: key(count({ min: 1, max: 65_536, why: 'each is a descriptor of the broker' }), {
    default: '1024',
    example: '64',
    doc: 'control connections that one user may have open; admins are exempt',
  }),
  max_requests_per_uid: key(count({ min: 1, max: 1_000_000, why: 'more than any broker answers' }), {
    default: '2000',
    example: '500',
    doc: 'requests that one user may send in a second; admins are exempt',
  }),
  user: optional(account('user'), {
    default: 'the user who starts the broker',
    example: '"fd-broker"',
    doc: 'the user that a broker started by root becomes once its sockets are bound, with the capabilities that its features need (`fd-broker check --explain`)',
  }),
  metrics: optional(metricsAddress(), {
    default: 'off',
    example: '"unix:///run/fd-broker/metrics.sock"',
    doc: 'where Prometheus reads the metrics (GET /metrics), see docs/metrics.md',
  }),
  metrics_mode: key(octalMode(), {
    default: '"0660"',
    example: '"0666"',
    doc: 'who may connect to `metrics` when it is a path',
  }),
}
