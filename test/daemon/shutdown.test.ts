import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { Asker } from '../support/asker.ts'
import { CLI, exitOf, startDaemon } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const SOCKETS = '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n'

function shutdown(control: string, ...args: string[]): Promise<{ status: number | null; stdout: string }> {
  const child = spawn(process.execPath, [CLI, '--socket', control, 'shutdown', ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk
  })
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout })))
}

it('drains every holder, answers at once, and ends with 0 when the last lease has ended; twice is once', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const holder = await Asker.connect(daemon.control)
  const lease = await holder.lease('web', { ready: true })
  const admin = await Asker.connect(daemon.control)
  expect(await admin.ask('shutdown')).toMatchObject({ ok: true })
  expect(await holder.next()).toMatchObject({ event: 'drain', lease, reason: 'shutdown' })
  expect(await admin.ask('shutdown')).toMatchObject({ ok: true })
  expect(await admin.ask('acquire', { name: 'web' })).toMatchObject({ ok: false, code: 'PAUSED' })
  expect(daemon.process.exitCode).toBe(null)
  await holder.ask('release', { lease })
  expect(await exitOf(daemon)).toBe(0)
  holder.close()
  admin.close()
})

it.each([
  ['the broker', false],
  ['the broker and its keeper', true],
])('the command returns when %s have ended, and nothing is left of them', async (_who, keeper) => {
  const daemon = await startDaemon({ sockets: SOCKETS, keeper })
  expect(await shutdown(daemon.control)).toEqual({ status: 0, stdout: 'the broker has ended\n' })
  expect([existsSync(daemon.control), existsSync(`${daemon.control}.lock`)]).toEqual([false, false])
  expect(await exitOf(daemon)).toBe(0)
})

it('--no-wait returns when the broker has been told', async () => {
  const daemon = await startDaemon({ sockets: SOCKETS })
  const holder = await Asker.connect(daemon.control)
  const lease = await holder.lease('web', { ready: true })
  expect(await shutdown(daemon.control, '--no-wait')).toEqual({
    status: 0,
    stdout: 'the broker drains its holders, and ends\n',
  })
  await holder.ask('release', { lease })
  expect(await exitOf(daemon)).toBe(0)
  holder.close()
})
