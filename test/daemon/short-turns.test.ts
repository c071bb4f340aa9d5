import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { startDaemon } from '../support/daemon.ts'
import { brokerPid } from '../support/keeper.ts'
import { kernelFrom } from '../support/kernel.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

/** Turns of a thread's own. */
const hasTurns = kernelFrom(6, 12)

/** sched_getattr(2) of a thread: the length of its turns in microseconds. `self`: of a program that asked for none. */
function turnOf(thread: number | 'self'): number {
  const script = `import ctypes, platform, struct, sys
number = {'x86_64': 315, 'aarch64': 275}[platform.machine()]
attributes = ctypes.create_string_buffer(48)
assert ctypes.CDLL(None, use_errno=True).syscall(number, int(sys.argv[1]), attributes, 48, 0) == 0
print(struct.unpack_from('=IIQiIQ', attributes)[5] // 1000)`
  return Number(execFileSync('python3', ['-c', script, thread === 'self' ? '0' : String(thread)], { encoding: 'utf8' }))
}

it.runIf(hasTurns)('a broker asks for shorter turns on the processor than others have (Linux 6.12)', async () => {
  const daemon = await startDaemon({ sockets: '[sockets.web]\nlisten = "tcp://127.0.0.1:0"\nallow = ["any"]\n' })
  expect(turnOf('self')).toBeGreaterThan(500)
  expect(turnOf(await brokerPid(daemon))).toBe(500)
})
