import { expect, it } from 'vitest'
import { KeptDescriptors } from '../../src/daemon/kept-descriptors.ts'
import { parseAddress } from '../../src/protocol/address.ts'
import { adoptSocket, type DescriptorStore, OwnedFd, openSocket } from '../../src/sys/index.ts'
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
