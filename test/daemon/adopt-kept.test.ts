// Which kept descriptor becomes a name's socket: the one whose address, type and name are those of the configuration.

import { describe, expect, it } from 'vitest'
import { adoptKept } from '../../src/daemon/adopt-kept.ts'
import type { NameModel } from '../../src/daemon/config/model.ts'
import { optionsFor } from '../../src/daemon/config/options-for.ts'
import { KeptDescriptors } from '../../src/daemon/kept-descriptors.ts'
import { anchorKey, socketKey } from '../../src/daemon/socket-keys.ts'
import { type BoundSocket, openSocket, openSuccessor } from '../../src/sys/index.ts'
import { config } from '../support/config-texts.ts'
import { temporaryDirectory } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { MemoryStore } from '../support/memory-store.ts'

forbidLeaks()

const model = (listen: readonly string[], name = 'web'): NameModel =>
  config(`[sockets.${name}]\nlisten = ${JSON.stringify(listen)}\nallow = ["any"]\n`).names.get(name)!

const open = (of: NameModel, at = 0): BoundSocket =>
  openSocket(of.addresses[at]!, optionsFor(of, of.addresses[at]!), of.backlog)

/** The model with the port that the socket got. */
const placed = ({ address }: BoundSocket, name?: string) =>
  model([`tcp://127.0.0.1:${'port' in address ? address.port : 0}`], name)

const adopt = (kept: KeptDescriptors, of: NameModel, at = 0) => adoptKept(kept, of, at, of.addresses[at]!)

describe('a kept socket', () => {
  it('is adopted with its anchor under its key, and is the very same', () => {
    using store = new MemoryStore()
    const former = open(model(['tcp://127.0.0.1:0']))
    store.put(socketKey('web', 0), [former.fd.fd])
    if (former.anchor) store.put(anchorKey(socketKey('web', 0)), [former.anchor.fd])
    const kept = new KeptDescriptors(store)
    const adopted = adopt(kept, placed(former))!
    expect(adopted.cookie).toBe(former.cookie)
    expect(adopted.address).toEqual(former.address)
    expect(kept.keys()).toEqual([])
    adopted.close()
    former.close()
  })

  it.each<[string, (former: BoundSocket) => NameModel]>([
    ['another port', () => model(['tcp://127.0.0.1:1'])],
    ['another host', ({ address }) => model([`tcp://127.0.0.2:${'port' in address ? address.port : 0}`])],
    ['another type', ({ address }) => model([`udp://127.0.0.1:${'port' in address ? address.port : 0}`])],
    ['another name', (former) => placed(former, 'shop')],
  ])('is left where it is for %s', (_, wanted) => {
    using store = new MemoryStore()
    const former = open(model(['tcp://127.0.0.1:0']))
    store.put(socketKey('web', 0), [former.fd.fd])
    const kept = new KeptDescriptors(store)
    expect(adopt(kept, wanted(former))).toBeUndefined()
    expect(kept.keys()).toEqual(['web#0'])
    kept.close()
    former.close()
  })

  it('gives its anchor back when it is not adopted', () => {
    using store = new MemoryStore()
    const former = open(model(['tcp://127.0.0.1:0']))
    store.put(socketKey('web', 0), [former.fd.fd])
    store.put(anchorKey(socketKey('web', 0)), [former.fd.fd])
    const kept = new KeptDescriptors(store)
    expect(adopt(kept, model(['tcp://127.0.0.1:1']))).toBeUndefined()
    expect(kept.keys().sort()).toEqual(['web#0', 'web#0.anchor'])
    kept.close()
    former.close()
  })

  it('that a service manager passed under the bare name is found by its address, whatever the order', () => {
    using store = new MemoryStore()
    const directory = temporaryDirectory()
    const of = model([`unix://${directory}/a`, `unix://${directory}/b`, `unix://${directory}/c`])
    const formers = [2, 0].map((at) => open(of, at))
    store.put(
      'web',
      formers.map(({ fd }) => fd.fd),
    )
    const kept = new KeptDescriptors(store)
    const adopted = [0, 1, 2].map((at) => adopt(kept, of, at))
    expect(adopted.map((socket) => socket?.cookie)).toEqual([formers[1]!.cookie, undefined, formers[0]!.cookie])
    expect(kept.keys()).toEqual([])
    for (const socket of [...adopted, ...formers]) socket?.close()
  })

  it('that replaced another on its path is known again, whatever others are beside it', () => {
    using store = new MemoryStore()
    const directory = temporaryDirectory()
    const of = model(['a', 'b', 'c'].map((file) => `unix://${directory}/${file}`))
    const first = [0, 1, 2].map((at) => open(of, at))
    const next = first.map((old) => openSuccessor(old, {}, 7))
    for (const { takeOver } of next) takeOver().settle()
    store.put(
      'web',
      [2, 0, 1].map((at) => next[at]!.socket.fd.fd),
    )
    const kept = new KeptDescriptors(store)
    const adopted = [0, 1, 2].map((at) => adopt(kept, of, at))
    const sockets = next.map(({ socket }) => socket)
    expect(adopted.map((socket) => socket?.cookie)).toEqual(sockets.map(({ cookie }) => cookie))
    for (const socket of [...adopted, ...first, ...sockets]) socket?.close()
  })

  it('under its own key comes before one that has the bare name', () => {
    using store = new MemoryStore()
    const of = model(['udp://127.0.0.1:0'])
    const [own, passed] = [open(of), open(of)]
    store.put('web', [passed.fd.fd])
    store.put(socketKey('web', 0), [own.fd.fd])
    const kept = new KeptDescriptors(store)
    const adopted = adopt(kept, of)!
    expect(adopted.cookie).toBe(own.cookie)
    expect(kept.keys()).toEqual(['web'])
    kept.close()
    for (const socket of [adopted, own, passed]) socket.close()
  })
})
