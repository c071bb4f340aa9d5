import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { LineWriter } from '../../src/daemon/line-writer.ts'
import { atEnd } from '../support/cleanup.ts'
import { temporaryDirectory, until } from '../support/daemon.ts'
import { forbidLeaks } from '../support/leaks.ts'

forbidLeaks()

const lostLine = (lines: number) => `lost ${lines}\n`

/** A pipe whose writing end blocks, as a parent hands it down. */
function makePipe(): { read: number; write: number } {
  const path = join(temporaryDirectory(), 'pipe')
  spawnSync('mkfifo', [path])
  const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const write = openSync(path, 'w')
  atEnd(() => {
    closeSync(both)
    closeSync(write)
  })
  return { read: both, write }
}

it('writes what one turn has to say at its end, in order', async () => {
  const path = join(temporaryDirectory(), 'log')
  const fd = openSync(path, 'w')
  const writer = new LineWriter(fd, lostLine)
  for (let i = 0; i < 1000; i++) writer.write(`line ${i}\n`)
  expect(readFileSync(path, 'utf8')).toBe('')
  await sleep(0)
  await until(() => readFileSync(path, 'utf8').endsWith('line 999\n'), 'all is written')
  expect(readFileSync(path, 'utf8')).toBe(Array.from({ length: 1000 }, (_, i) => `line ${i}\n`).join(''))
  closeSync(fd)
})

it('never waits for a reader that does not read: it goes on where that stopped, and tells what was lost', async () => {
  const { read, write } = makePipe()
  const writer = new LineWriter(write, lostLine)
  const line = `${'x'.repeat(199)}\n`
  for (let i = 0; i < 10_000; i++) {
    writer.write(line)
    if (i % 100 === 0) writer.flush()
  }
  const bytes = Buffer.alloc(65536)
  let text = ''
  await until(() => {
    try {
      text += bytes.toString('latin1', 0, readSync(read, bytes))
    } catch {
      // Empty for now (EAGAIN).
    }
    return text.includes('lost')
  }, 'the rest comes')
  const lines = text.trimEnd().split('\n')
  const lost = Number(lines.pop()!.replace('lost ', ''))
  expect(lost).toBeGreaterThan(1000)
  expect(lines.length + lost).toBe(10_000)
  expect(new Set(lines)).toEqual(new Set([line.trimEnd()]))
})

/** Another file in the place of `fd`. */
function replaceFile(fd: number, path: string): void {
  closeSync(fd)
  const others: number[] = []
  for (let opened = openSync(path, 'a'); opened !== fd; opened = openSync(path, 'a')) others.push(opened)
  for (const other of others) closeSync(other)
}

it('goes on when a full disk has room again, and tells what was lost', async () => {
  const path = join(temporaryDirectory(), 'log')
  const fd = openSync('/dev/full', 'w')
  atEnd(() => closeSync(fd))
  const writer = new LineWriter(fd, lostLine)
  const line = `${'x'.repeat(199)}\n`
  for (let i = 0; i < 10_000; i++) {
    writer.write(line)
    if (i % 100 === 0) writer.flush()
  }
  replaceFile(fd, path)
  await until(() => readFileSync(path, 'utf8').includes('lost'), 'the rest comes')
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  const lost = Number(lines.pop()!.replace('lost ', ''))
  expect(lost).toBeGreaterThan(1000)
  expect(lines.length + lost).toBe(10_000)
})

it('keeps nothing for a reader that has gone', async () => {
  const path = join(temporaryDirectory(), 'pipe')
  spawnSync('mkfifo', [path])
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const write = openSync(path, 'w')
  const writer = new LineWriter(write, lostLine)
  closeSync(read)
  writer.write('one\n')
  writer.flush()
  const again = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  writer.write('two\n')
  writer.finish()
  expect(() => readSync(again, Buffer.alloc(100))).toThrow('EAGAIN')
  closeSync(again)
  closeSync(write)
})

it('shows the failure that it avoids: a write to a full pipe blocks', () => {
  const { write } = makePipe()
  const script = 'require("fs").writeSync(3, Buffer.alloc(1 << 20))'
  const { signal } = spawnSync(process.execPath, ['-e', script], {
    stdio: ['ignore', 'ignore', 'ignore', write],
    timeout: 1500,
  })
  expect(signal).toBe('SIGTERM')
})
