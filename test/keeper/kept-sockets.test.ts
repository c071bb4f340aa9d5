import { expect, it } from 'vitest'
import { KeptDescriptors } from '../../src/daemon/kept-descriptors.ts'
import { parseAddress } from '../../src/protocol/address.ts'
import { addon, constants } from '../../src/sys/addon.ts'
import {
  adoptSocket,
  type BoundSocket,
  type DescriptorStore,
  foreseeSocket,
  GuardedSocket,
  OwnedFd,
  openSocket,
  takeUp,
} from '../../src/sys/index.ts'
import { getInt, setInt } from '../../src/sys/sockopt.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { useScratch } from '../support/scratch.ts'

forbidLeaks()
const scratch = useScratch()

/** A store in this process. */
function memoryStore(): DescriptorStore & { keys(): string[]; close(): void } {
  const kept = new Map<string, OwnedFd[]>()
  const drop = (key: string) => {
    for (const fd of kept.get(key) ?? []) fd.close()
    kept.delete(key)
  }
  return {
    keeps: true,
    put(key, fds) {
      drop(key)
      kept.set(
        key,
        fds.map((fd) => new OwnedFd(fd).dup()),
      )
    },
    retain: () => {},
    delete: drop,
    take: () => new Map([...kept].map(([key, fds]) => [key, fds.map((fd) => fd.dup())])),
    keys: () => [...kept.keys()],
    close: () => [...kept.keys()].forEach(drop),
  }
}

const open = (text: string) => openSocket(parseAddress(text), {}, 16)

it.each(['tcp://127.0.0.1:0', 'tcp://[::1]:0', 'udp://127.0.0.1:0', 'unix://@fd-broker-kept-{pid}', 'unix://{dir}/s'])(
  'the socket of %s is taken back: the same cookie, the same port',
  (template) => {
    const text = template.replace('{dir}', scratch.path).replace('{pid}', String(process.pid))
    const socket = open(text)
    const adopted = adoptSocket(socket.fd.dup(), parseAddress(text), {}, 16)
    expect(adopted).toMatchObject({ cookie: socket.cookie, address: socket.address })
    adopted?.close()
    socket.close()
  },
)

const shutDown = (socket: BoundSocket) => addon.shutdown(socket.fd.fd, constants.SHUT_RD)
const listens = ({ fd }: BoundSocket) => getInt(fd.fd, constants.SOL_SOCKET, constants.SO_ACCEPTCONN) === 1

it('one that is foreseen is looked at and not touched; it listens again when it is taken up', () => {
  const socket = open('tcp://127.0.0.1:0')
  shutDown(socket)
  const foreseen = foreseeSocket(socket.fd.dup(), socket.address, socket.anchor!.dup())!
  expect(foreseen).toMatchObject({ cookie: socket.cookie, address: socket.address })
  expect(foreseeSocket(socket.fd, parseAddress('tcp://127.0.0.1:1'), undefined)).toBeUndefined()
  expect(listens(foreseen)).toBe(false)
  takeUp(foreseen, 16)
  expect(listens(foreseen)).toBe(true)
  foreseen.close()
  socket.close()
})

it('one that is looked at ahead is to be as the broker before said, but for what its own listen() has set since', () => {
  const socket = open('tcp://127.0.0.1:0')
  const guarded = { fd: socket.fd.fd, address: socket.address, backlog: 16 }
  const { expected } = new GuardedSocket(guarded)
  setInt(socket.fd.fd, constants.SOL_SOCKET, constants.SO_KEEPALIVE, 1)
  const ahead = new GuardedSocket(guarded)
  takeUp(socket, 7)
  ahead.takeOver(expected)
  expect(ahead.inspect()).toEqual({ repaired: ['SO_KEEPALIVE'], left: [] })
  socket.close()
})

it.each([
  ['tcp://127.0.0.1:0', 'tcp://127.0.0.1:1'],
  ['tcp://127.0.0.1:0', 'tcp://127.0.0.2:0'],
  ['tcp://127.0.0.1:0', 'udp://127.0.0.1:0'],
  ['tcp://127.0.0.1:0', 'tcp://[::1]:0'],
])('the socket of %s is not taken for %s', (is, wanted) => {
  const socket = open(is)
  expect(adoptSocket(socket.fd, parseAddress(wanted), {}, 16)).toBeUndefined()
  socket.close()
})

it('what nobody claimed is closed and deleted from the store', () => {
  const store = memoryStore()
  const socket = open('tcp://127.0.0.1:0')
  store.put('web#0', [socket.fd.fd])
  store.put('old#0', [socket.fd.fd])
  socket.close()
  const kept = new KeptDescriptors(store)
  const [fd] = kept.claim('web#0')
  expect(kept.dropRest()).toEqual(['old#0'])
  expect(store.keys()).toEqual(['web#0'])
  fd!.close()
  store.close()
})
