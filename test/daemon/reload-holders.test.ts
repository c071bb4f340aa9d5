// What a replacement means for who holds the old socket: programs that were given it at their start, and holders of other users.

import net from 'node:net'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { IS_ROOT, startDaemon, stopCleanly, until } from '../support/daemon.ts'
import { holders, logged, start } from '../support/exec.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cookies, portOf, refuses, rewrite } from '../support/reloading.ts'

forbidLeaks()

const web = (more: string) => `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n${more}\n`
/** TCP_USER_TIMEOUT: what is set by `sockopt` needs a new socket. */
const NEW_SOCKET = 'sockopt = [{ level = 6, name = 18, value = 30000 }]'

/** Accepts nobody until SIGTERM, then everybody who waits; says how many those were. */
const SERVER = `
import os, signal, socket, sys
listener = socket.socket(fileno=3)
def drain(number, frame):
    listener.setblocking(False)
    count = 0
    while True:
        try: client, _ = listener.accept()
        except BlockingIOError: break
        client.sendall(b"served")
        client.close()
        count += 1
    print("answered", count, flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, drain)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
print("up", flush=True)
while True: signal.pause()
`

async function textOf(socket: net.Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket) text += chunk
  return text
}

it('a program under exec is drained by SIGTERM at a replacement, answers who waits at the old socket, and its successor has the new one', async () => {
  const daemon = await startDaemon({ sockets: web('') })
  const serve = () => start(daemon, ['exec', 'web', '--', 'python3', '-c', SERVER])
  const old = serve()
  await until(() => old.stdout().includes('up'), 'it runs')
  await until(async () => (await holders(daemon))[0]?.state === 'ready', 'it is ready')
  const [port, before] = [await portOf(daemon, 'web'), await cookies(daemon, 'web')]
  const early = Array.from({ length: 3 }, () => net.connect({ host: '127.0.0.1', port }))
  const answers = early.map(textOf)
  await Promise.all(early.map((client) => new Promise((resolve) => client.once('connect', resolve))))
  const asker = await Asker.connect(daemon.control)
  rewrite(daemon, web(NEW_SOCKET))
  expect(await asker.ask('reload')).toMatchObject({ ok: true, changed: [{ name: 'web', keys: ['sockopt'] }] })
  expect(await cookies(daemon, 'web')).not.toEqual(before)
  expect(await old.exit()).toBe(0)
  expect(old.stdout()).toContain('answered 3')
  expect(await Promise.all(answers)).toEqual(['served', 'served', 'served'])
  const late = net.connect({ host: '127.0.0.1', port })
  const answer = textOf(late)
  await new Promise((resolve) => late.once('connect', resolve))
  const next = serve()
  await until(() => next.stdout().includes('up'), 'the next one runs')
  next.kill('SIGTERM')
  expect(await answer).toBe('served')
  expect((await logged(daemon, 'old socket closed'))[0]).toMatchObject({ dropped: 0, cookie: before![0] })
  asker.close()
  await stopCleanly(daemon)
})

it.runIf(IS_ROOT)(
  'a broker that became nobody, which cannot see who has the old socket, closes it at drain_timeout, not before (needs root)',
  async () => {
    const keys = 'drain_timeout = "4s"\n'
    const daemon = await startDaemon({ sockets: web(keys), broker: 'user = "nobody"' })
    const asker = await Asker.connect(daemon.control)
    const { fds: held } = await asker.received('acquire', { name: 'web', ready: true })
    const [port, before] = [await portOf(daemon, 'web'), await cookies(daemon, 'web')]
    rewrite(daemon, web(keys + NEW_SOCKET), 'user = "nobody"')
    const from = performance.now()
    asker.send('reload')
    expect([await asker.next(), await asker.next()]).toMatchObject([{ event: 'replaced' }, { ok: true }])
    const [closed] = await logged(daemon, 'old socket closed')
    expect(closed).toMatchObject({ dropped: 0, cookie: before![0] })
    expect(performance.now() - from).toBeGreaterThan(3900)
    expect(await cookies(daemon, 'web')).not.toEqual(before)
    expect(await refuses(port)).toBe(false)
    for (const fd of held) fd.close()
    asker.close()
    expect(await daemon.stop()).toBe(0)
  },
)
