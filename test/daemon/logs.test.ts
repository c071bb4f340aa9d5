import { describe, expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { CLI, startDaemon, stopCleanly, temporaryDirectory, until, writeConfig } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { packet, value } from '../support/msgpack.ts'
import { endPythons, startPython } from '../support/python.ts'

forbidLeaks()
endPythons()

const WEB = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:${process.getuid!()}"]`

describe('the log', () => {
  it('is one JSON object a line, with a time, a level and the event', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const worker = await Asker.connect(daemon.control)
    const lease = await worker.lease('web', { label: 'über "quoted"' })
    await worker.ask('ready', { lease })
    await worker.ask('release', { lease })
    await until(() => daemon.logs().some(({ msg }) => msg === 'released'), 'the release is logged')
    worker.close()
    await stopCleanly(daemon)
    const lines = daemon.stderr().trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual(daemon.logs())
    for (const { time, level, msg } of daemon.logs()) {
      expect([typeof level, typeof msg, Number.isNaN(Date.parse(time as string))]).toEqual(['number', 'string', false])
    }
    const events = daemon.logs().filter(({ lease: of }) => of === lease)
    expect(events.map(({ msg }) => msg)).toEqual(['granted', 'ready', 'released'])
    expect(events[0]).toMatchObject({ name: 'web', label: 'über "quoted"' })
  })

  it('stays one event a line whatever a client says', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    const worker = await Asker.connect(daemon.control)
    for (const name of ['a\nb', '{"level":60}', '\u001b[2J', '\u2028']) await worker.ask('acquire', { name })
    worker.client.send(Uint8Array.of(0xc1))
    await until(() => daemon.logs().some(({ msg }) => String(msg).includes('malformed')), 'the packet is logged')
    await stopCleanly(daemon)
    for (const line of daemon.stderr().trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow()
    expect(daemon.stderr()).not.toContain('\u001b')
  })

  it('names the verb of what is refused, also at the limit of requests in flight, and none where none was asked', async () => {
    const daemon = await startDaemon({
      sockets: `${WEB}\nmode = "exclusive"`,
      broker: 'max_requests_per_uid = 1000000',
    })
    const holder = await Asker.connect(daemon.control)
    await holder.lease('web', { ready: true })
    const crowd = await Asker.connect(daemon.control)
    for (let at = 0; at < 1024; at++) crowd.send('acquire', { name: 'web', wait: -1 })
    expect(await crowd.ask('holders', { name: 'web' })).toMatchObject({ ok: false, code: 'LIMIT' })
    holder.client.send(packet(value({ id: 900 })))
    expect(await holder.next()).toMatchObject({ id: 900, ok: false, code: 'INVALID' })
    crowd.close()
    holder.close()
    await stopCleanly(daemon)
    const refused = daemon.logs().filter(({ msg }) => msg === 'refused')
    expect(refused.find(({ code }) => code === 'LIMIT')).toMatchObject({ op: 'holders', name: 'web' })
    expect(refused.find(({ code }) => code === 'INVALID')).not.toHaveProperty('op')
  })

  it('may lose its reader: the broker goes on, and ends as it should', async () => {
    const daemon = await startDaemon({ sockets: WEB })
    daemon.process.stderr!.destroy()
    const worker = await Asker.connect(daemon.control)
    for (let round = 0; round < 200; round++) {
      const lease = await worker.lease('web', { ready: true })
      await worker.ask('release', { lease })
    }
    expect(await worker.ask('stats')).toMatchObject({ ok: true, grants: 200 })
    worker.close()
    await stopCleanly(daemon)
  })

  it('has journald’s priorities when journald reads it, and only then', async () => {
    const journal = ['sh', '-c', 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$@"', 'sh']
    const daemon = await startDaemon({ sockets: WEB, through: journal })
    daemon.process.kill('SIGUSR1')
    await until(() => daemon.stderr().includes('SIGUSR1'), 'the warning is logged')
    await stopCleanly(daemon)
    const lines = daemon.stderr().trimEnd().split('\n')
    for (const line of lines) expect(line).toMatch(/^<[2-7]>\{/)
    expect(lines.find((line) => line.includes('"serving"'))).toMatch(/^<6>/)
    expect(lines.find((line) => line.includes('SIGUSR1'))).toMatch(/^<4>/)

    const other = await startDaemon({ sockets: WEB, env: { JOURNAL_STREAM: '1:1' } })
    await stopCleanly(other)
    for (const line of other.stderr().trimEnd().split('\n')) expect(line).toMatch(/^\{/)
  })

  it('is short on a terminal, and no byte of a peer reaches the terminal as a control character', async () => {
    const directory = temporaryDirectory()
    const config = writeConfig(directory, { sockets: WEB })
    const python = startPython(
      `
import pty
pid, fd = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
text = b''
def read_until(word):
    global text
    while word not in text: text += os.read(fd, 65536)
read_until(b'serving')
say(pid)
wait()
os.kill(pid, signal.SIGTERM)
read_until(b'stopped')
say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
say(text.hex())
`,
      [process.execPath, CLI, 'serve', '--no-keeper', '--config', config],
    )
    await python.line()
    const asker = await Asker.connect(`${directory}/control.sock`)
    await asker.ask('frobnicate\u001b[2J')
    const lease = await asker.lease('web')
    await asker.ask('release', { lease })
    asker.close()
    python.write('')
    expect(await python.line()).toBe('0')
    const text = Buffer.from(await python.line(), 'hex').toString()
    for (const line of text.trimEnd().split('\r\n')) {
      expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} (info |warn |error) \P{Cc}+$/u)
    }
    expect(text).toMatch(/info {2}granted .*name=web lease=1/)
    await python.exit()
  })
})
