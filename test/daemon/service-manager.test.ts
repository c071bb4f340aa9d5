// What a broker says to its service manager over its life, by python3 in the manager's place.

import { chmodSync, writeFileSync } from 'node:fs'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { ServiceManager } from '../../src/daemon/systemd/service-manager.ts'
import { atEnd } from '../support/cleanup.ts'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons, startPython } from '../support/python.ts'

forbidLeaks()
endPythons()

const SILENT = pino({ level: 'silent' })
const LISTENER = `
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
say('up')
while True: say(s.recv(4096).decode().replace('\\n', '|'))`

async function stage(variables: NodeJS.ProcessEnv = {}) {
  const path = `${temporaryDirectory()}/notify`
  const python = startPython(LISTENER, [path])
  await python.line()
  const manager = new ServiceManager({ NOTIFY_SOCKET: path, ...variables }, SILENT)
  atEnd(() => manager.close())
  return { manager, line: () => python.line() }
}

describe('a service manager', () => {
  it('hears READY=1 with a status first, then the status whenever it is another', async () => {
    const { manager, line } = await stage()
    let status = 'one'
    manager.ready(() => status)
    expect(await line()).toBe('READY=1|STATUS=one')
    status = 'two'
    expect(await line()).toBe('STATUS=two')
  })

  it('hears RELOADING=1 with the monotonic clock, READY=1, and STOPPING=1', async () => {
    const { manager, line } = await stage()
    manager.ready(() => 'x')
    await line()
    const before = process.hrtime.bigint() / 1000n
    manager.reloading()
    manager.reloaded()
    manager.stopping()
    const [, told] = /^RELOADING=1\|MONOTONIC_USEC=(\d+)$/.exec(await line())!
    expect(BigInt(told!)).toBeGreaterThanOrEqual(before)
    expect(BigInt(told!)).toBeLessThanOrEqual(process.hrtime.bigint() / 1000n)
    expect([await line(), await line()]).toEqual(['READY=1', 'STOPPING=1'])
  })

  it.each<[string, NodeJS.ProcessEnv, number | undefined]>([
    ['is for anybody', { WATCHDOG_USEC: '100000' }, undefined],
    ['is for this process', { WATCHDOG_USEC: '100000', WATCHDOG_PID: String(process.pid) }, undefined],
    ['is for the keeper', { WATCHDOG_USEC: '100000', WATCHDOG_PID: '7' }, 7],
  ])('hears the watchdog at once and again where it %s', async (_, variables, keeper) => {
    const { manager, line } = await stage(variables)
    manager.ready(() => 'x', keeper)
    expect(await line()).toBe('READY=1|STATUS=x')
    for (let i = 0; i < 3; i++) expect(await line()).toBe('WATCHDOG=1')
  })

  it.each<[string, NodeJS.ProcessEnv, number | undefined]>([
    ['is for another process', { WATCHDOG_USEC: '10000', WATCHDOG_PID: '1' }, 7],
    ['is for a keeper, and there is none', { WATCHDOG_USEC: '10000', WATCHDOG_PID: '7' }, undefined],
    ['is off', { WATCHDOG_USEC: '0' }, undefined],
    ['is no number', { WATCHDOG_USEC: '10ms' }, undefined],
    ['is not there', {}, undefined],
  ])('hears no watchdog where it %s', async (_, variables, keeper) => {
    const { manager, line } = await stage(variables)
    manager.ready(() => 'x', keeper)
    expect(await line()).toBe('READY=1|STATUS=x')
    await new Promise((resolve) => setTimeout(resolve, 40))
    manager.stopping()
    expect(await line()).toBe('STOPPING=1')
  })
})

describe('whether what is stored comes back', () => {
  const { PATH } = process.env
  afterEach(() => {
    process.env['PATH'] = PATH
  })
  const asked = (variables: NodeJS.ProcessEnv) => {
    const manager = new ServiceManager(variables, SILENT)
    atEnd(() => manager.close())
    return manager.storesDescriptors()
  }

  it('is what $FDSTORE says, where there is a manager', async () => {
    const NOTIFY_SOCKET = '/nowhere'
    expect(await asked({ NOTIFY_SOCKET, FDSTORE: '64' })).toBe(true)
    expect(await asked({ NOTIFY_SOCKET, FDSTORE: '0' })).toBe(false)
    expect(await asked({ NOTIFY_SOCKET, FDSTORE: 'many' })).toBe(false)
    expect(await asked({ FDSTORE: '64' })).toBe(false)
  })

  it('is not believed where systemctl cannot be asked', async () => {
    const directory = temporaryDirectory()
    writeFileSync(`${directory}/systemctl`, '#!/bin/sh\nexit 1\n')
    chmodSync(`${directory}/systemctl`, 0o755)
    process.env['PATH'] = `${directory}:${PATH}`
    expect(await asked({ NOTIFY_SOCKET: '/nowhere' })).toBe(false)
  })
})
