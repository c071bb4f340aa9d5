import { expect, it } from 'vitest'
import { Asker, type Message } from '../support/asker.ts'
import { Attacker } from '../support/attacker.ts'
import { IS_ROOT, startDaemon, until } from '../support/daemon.ts'
import { report } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { endPythons } from '../support/python.ts'

forbidLeaks()
endPythons()

/** Shuts the listener and binds a socket of its own to the port at once, a thousand times. */
const STEAL = `
had = 0
for attempt in range(1000):
    try: held.shutdown(socket.SHUT_RDWR)
    except OSError: pass
    thief = socket.socket()
    for option in ((), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,), (socket.SO_REUSEADDR, socket.SO_REUSEPORT))[attempt % 4]:
        thief.setsockopt(SOL, option, 1)
    try:
        thief.bind(('127.0.0.1', held.getsockname()[1]))
        thief.listen(5)
        had += 1
    except OSError: pass
    thief.close()
say(had)`

/** Twenty lines, and one for all others. */
const TOLD_A_SECOND = 21

it.runIf(IS_ROOT)(
  'a port is not taken in 1,000 shutdowns by a holder that is at it at once; all are counted, few are told (needs root)',
  async () => {
    const daemon = await startDaemon({ sockets: `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n` })
    const attacker = await Attacker.hold(daemon.control, ['web'])
    const before = performance.now()
    expect(await attacker.run(`exec(${JSON.stringify(STEAL)})`)).toBe('0')
    const viewer = await Asker.connect(daemon.control)
    const list = (await viewer.ask('list'))['sockets'] as Message[]
    expect(list[0]).toMatchObject({ state: 'repaired', repairedAt: expect.anything() })
    const repairs = ((await viewer.ask('stats'))['repairs'] as Record<string, number>)['web']!
    expect(repairs).toBeGreaterThan(0)
    const told = () => daemon.logs().filter(({ msg }) => String(msg).endsWith(': repaired'))
    const times = () => told().reduce((sum, line) => sum + Number(line['times'] ?? 1), 0)
    await until(() => times() >= repairs, 'all repairs are told')
    const seconds = Math.ceil((performance.now() - before) / 1000) + 1
    expect(told().length).toBeLessThanOrEqual(seconds * TOLD_A_SECOND)
    report('port theft', { attempts: 1000, thefts: 0, repairs })
    viewer.close()
  },
)
