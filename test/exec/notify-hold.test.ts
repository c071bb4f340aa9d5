import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, expect, it } from 'vitest'
import { holdNotify, resumeNotify, takeHeldNotify } from '../../src/sys/notify-hold.ts'
import { NotifySocket, prepareNotifyDirectory } from '../../src/sys/notify-socket.ts'
import { UserNotifyThread } from '../../src/sys/notify-thread.ts'
import { atEnd } from '../support/cleanup.ts'
import { temporaryDirectory, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { BOMB } from '../support/linger-bomb.ts'
import { endPythons, startPython } from '../support/python.ts'

forbidLeaks()
endPythons()

let directory: string
beforeEach(() => {
  directory = `${temporaryDirectory()}/control.sock.notify`
  prepareNotifyDirectory(directory)
})

function open(messages: string[]): NotifySocket {
  const socket = NotifySocket.open(directory, process.getuid!(), process.getgid!(), (text) => messages.push(text))
  atEnd(() => {
    socket.close()
    resumeNotify()
  })
  return socket
}

/** Asked without holding it for longer than the question. */
function isTaking(): boolean {
  const rests = UserNotifyThread.hold()
  UserNotifyThread.resume()
  return !rests
}

/** While this thread does not turn. */
function sendNow({ path }: NotifySocket, ...texts: string[]): void {
  const program =
    'import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nfor text in sys.argv[2:]: s.sendto(text.encode(), sys.argv[1])'
  execFileSync('python3', ['-c', program, path, ...texts], { timeout: 10_000 })
}

it('what came before the hold is handed on before the broker stops; what comes after waits in its socket', async () => {
  const messages: string[] = []
  const socket = open(messages)
  sendNow(socket, 'one', 'two')
  await holdNotify()
  takeHeldNotify()
  // Nothing of them is in this process now, or all of it.
  const before = [...messages]
  sendNow(socket, 'three', 'four')
  await sleep(100)
  takeHeldNotify()
  expect(messages).toEqual(before)
  resumeNotify()
  await until(() => messages.length === 4, 'all are heard')
  expect(messages).toEqual(['one', 'two', 'three', 'four'])
})

it('what a thread received, and nobody has taken yet, is taken', async () => {
  const messages: string[] = []
  const socket = open(messages)
  sendNow(socket, 'one', 'two')
  // The thread receives; this one does not turn.
  for (let tries = 0; tries < 100 && messages.length < 2; tries++) {
    execFileSync('sleep', ['0.05'])
    takeHeldNotify()
  }
  expect(messages).toEqual(['one', 'two'])
})

it('holds a thread that is started meanwhile too', async () => {
  await holdNotify()
  const messages: string[] = []
  const socket = open(messages)
  sendNow(socket, 'one')
  await sleep(100)
  expect(messages).toEqual([])
  resumeNotify()
  await until(() => messages.length === 1, 'it is heard')
})

it('does not wait for a descriptor whose sender lets it linger: others of that user are heard afterwards', async () => {
  const messages: string[] = []
  const socket = open(messages)
  await holdNotify()
  const python = startPython(BOMB, [socket.path])
  // The sender has closed its own copy before the thread gets it.
  await python.line()
  resumeNotify()
  await until(() => isTaking(), 'the thread is stuck with it')
  await holdNotify()
  takeHeldNotify()
  expect(messages).toEqual([])
  sendNow(socket, 'one')
  resumeNotify()
  await until(() => messages.length === 2, 'both are heard')
  expect(messages).toEqual(['STATUS=bomb', 'one'])
  python.write('')
})
