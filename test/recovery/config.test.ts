import { writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { stopCleanly } from '../support/daemon.ts'
import { killBroker, socketsOf, startKept } from '../support/keeper.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

it.each([
  ['is broken', 'listen = {'],
  ['says something else', '[sockets.other]\nlisten = "tcp://127.0.0.1:0"\n'],
])(
  'a broker that comes after a death goes on with the configuration that was applied, when the file %s by now',
  async (_what, text) => {
    const sockets = `[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["user:${process.getuid!()}"]`
    const daemon = await startKept({ sockets })
    const before = await socketsOf(daemon, 'web')
    writeFileSync(daemon.config, text)
    for (let times = 0; times < 2; times++) {
      await killBroker(daemon)
      expect(await socketsOf(daemon, 'web')).toEqual(before)
    }
    const asker = await Asker.connect(daemon.control)
    expect(await asker.ask('acquire', { name: 'web' })).toMatchObject({ ok: true })
    asker.close()
    await stopCleanly(daemon)
  },
)
