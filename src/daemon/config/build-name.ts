import { type Address, formatAddress, needsZone, parseAddress } from '../../protocol/address.ts'
import { buildOptions, checkApplies } from './build-options.ts'
import { buildRules } from './build-rules.ts'
import type { PlacedClaim } from './check-overlaps.ts'
import type { ConfigEnv } from './config-env.ts'
import { isIpv6Only } from './ipv6-only.ts'
import type { KeyPath } from './key-path.ts'
import { quote } from './kind.ts'
import type { NameModel } from './model.ts'
import { NAME_KEYS } from './name-keys.ts'
import { OPTION_KEYS } from './option-keys.ts'
import { readTable, type Table } from './read-table.ts'
import type { Report } from './report.ts'

const KEYS = { ...NAME_KEYS, ...OPTION_KEYS }

/** One name, and the addresses that it claims. */
export interface BuiltName {
  model: NameModel
  claims: PlacedClaim[]
}

export function buildName(name: string, table: Table, env: ConfigEnv, report: Report): BuiltName {
  const path = ['sockets', name]
  const values = readTable(KEYS, table, path, report)
  if (!Object.hasOwn(table, 'listen'))
    report.fault(path, 'has no listen; add one, such as listen = "tcp://127.0.0.1:8080"')
  const listed = readAddresses(values.listen ?? [], Array.isArray(table.listen), [...path, 'listen'], report)
  const addresses = listed.map(({ address }) => address)
  for (const { address, path: at } of listed) {
    if (needsZone(address) && values.bind_to_device === undefined)
      report.fault(
        at,
        `${quote(formatAddress(address))} is link-local and may be on any interface; ${withZone(address)}`,
      )
  }
  checkApplies(table, addresses, path, report)
  checkCounts(values, path, report)
  if (!Object.hasOwn(table, 'allow')) report.warn(path, 'has no allow, so nobody may have it; add allow = ["user:…"]')
  else if (Array.isArray(table.allow) && table.allow.length === 0)
    report.warn([...path, 'allow'], 'is empty, so nobody may have it; add a rule such as "user:…"')
  if (Object.hasOwn(table, 'backlog') && env.somaxconn !== undefined && values.backlog > env.somaxconn)
    report.warn(
      [...path, 'backlog'],
      `${values.backlog} is more than net.core.somaxconn, and the kernel will use ${env.somaxconn}; raise it with sysctl`,
    )

  const model: NameModel = {
    core: {
      name,
      mode: values.mode,
      rules: buildRules(values.allow ?? [], [...path, 'allow'], env, report),
      quorum: values.quorum,
      maxGenerations: values.max_generations,
      maxHolders: values.max_holders,
      maxDraining: values.max_draining,
      readyTimeout: values.ready_timeout,
      drainTimeout: values.drain_timeout,
      onDrainTimeout: values.on_drain_timeout,
      promoteTimeout: values.promote_timeout,
      ...(values.watchdog !== undefined && { watchdog: values.watchdog }),
    },
    addresses,
    backlog: values.backlog,
    options: buildOptions(values, addresses, path, env, report),
    idleGrace: values.idle_grace,
    guard: values.guard,
    ...(values.non_blocking !== undefined && { nonBlocking: values.non_blocking }),
  }
  const claims = listed.map(({ address, path: at }) => ({
    address,
    ipv6Only: isIpv6Only(address, addresses, values.bind_ipv6_only),
    device: values.bind_to_device,
    owner: path,
    path: at,
  }))
  return { model, claims }
}

function readAddresses(texts: readonly unknown[], indexed: boolean, path: KeyPath, report: Report) {
  const listed: { address: Address; path: KeyPath }[] = []
  for (const [index, text] of texts.entries()) {
    const at = indexed ? [...path, index] : path
    if (typeof text !== 'string') {
      report.fault(at, `${quote(text)} is not an address; write one in quotes, such as "tcp://127.0.0.1:8080"`)
      continue
    }
    try {
      listed.push({ address: parseAddress(text), path: at })
    } catch (error) {
      report.fault(at, (error as Error).message)
    }
  }
  return listed
}

function checkCounts(
  values: { mode: string; quorum: number; max_holders: number },
  path: KeyPath,
  report: Report,
): void {
  const { mode, quorum, max_holders } = values
  if (mode === 'exclusive' && quorum > 1)
    report.fault(
      [...path, 'quorum'],
      `${quorum} leases can never be ready in mode "exclusive"; set 1, or mode = "shared"`,
    )
  else if (quorum > max_holders)
    report.fault(
      [...path, 'quorum'],
      `${quorum} is more than max_holders (${max_holders}), so no generation could become current; lower it`,
    )
}

function withZone(address: Address): string {
  const zoned = formatAddress({ ...address, zone: 'eth0' } as Address)
  return `write its interface too, such as ${quote(zoned)}`
}
