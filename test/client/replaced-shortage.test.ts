// The broker replaces a name's sockets while the worker has no descriptor left.

import net from 'node:net'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child.ts'
import { type BrokerSocket, type FakePeer, granting, portOf, type Request } from '../support/fake-broker.ts'
import { useSdk } from '../support/sdk.ts'

const { atEnd, scratch, serve, socket } = useSdk()

/** What the workers below are made of. They ask for `list` when the sockets are to be replaced. */
const WORKER = `
import fs, { closeSync, openSync, readlinkSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
const held = []
const hold = (count) => { while (count-- > 0) held.push(openSync('/dev/null')) }
const fill = (free) => { try { hold(Infinity) } catch {} for (let i = 0; i < free; i++) closeSync(held.pop()) }
// Other threads of the process have files open for a moment, too.
const fullUntil = (condition, free = 0) => until(() => { fill(free); return condition() })
const empty = () => { for (const fd of held.splice(0)) closeSync(fd) }
const until = async (condition) => { while (!condition()) await sleep(2) }
const linkOf = (fd) => readlinkSync('/proc/self/fd/' + fd)
const cookies = () => lease.sockets.map(({ cookie }) => cookie).join()
const warned = []
const alive = setInterval(() => {}, 1000)
process.on('warning', ({ message }) => warned.push(message))
const lease = await broker.acquire('web', { ready: true })
lease.on('ended', ({ reason }) => console.log('ended', reason))
const replaced = once(lease, 'replaced')
const server = http.createServer((request, response) => response.end('here'))
`

interface Stage {
  /** The next of these is sent at each \`list\`. */
  next: BrokerSocket[][]
  /** Done at \`holders\`. */
  accept?: () => void
}

function run(first: BrokerSocket[], { next, accept }: Stage, script: string) {
  let sockets = first
  const turn = (request: Request, peer: FakePeer) => {
    if (request.op === 'holders') accept?.()
    if (request.op === 'list') {
      sockets = next.shift()!
      const event = { event: 'replaced', lease: 2, sockets: sockets.map(({ description }) => description) }
      setImmediate(() =>
        peer.send(
          event,
          sockets.map(({ fd }) => fd),
        ),
      )
    }
    return undefined
  }
  serve((request, peer) => granting(sockets, turn)(request, peer))
  const options = { directory: scratch.path, socket: scratch.at('control.sock'), descriptors: 128 }
  return runChild(WORKER + script, options)
}

describe('sockets that are replaced while the descriptor table is full', () => {
  it.each([0, 1, 2, 3])('are taken when there is room: %i descriptors free', async (free) => {
    const [old, next] = [socket('tcp'), socket('tcp')]
    const result = await run(
      [old],
      { next: [[next]] },
      `
      await lease.listen(server)
      fill(${free})
      void broker.list()
      await fullUntil(() => warned.length > 0, ${free})
      console.log(lease.state, cookies())
      empty()
      await replaced
      console.log(lease.state, cookies())
      console.log(await (await fetch('http://127.0.0.1:${portOf(next)}')).text())
      console.log(warned.join('|'))
      process.exit()`,
    )
    expect(result.stderr.replaceAll(/\(.*Warning: .*\n|\(Use .*\n/g, '')).toBe('')
    const [before, after, answer, warnings] = result.stdout.split('\n')
    expect([before, after, answer]).toEqual([
      `ready ${old.description.cookie}`,
      `ready ${next.description.cookie}`,
      'here',
    ])
    expect(warnings).toMatch(/^fd-broker: the new sockets of web [^|]*EMFILE[^|]*RLIMIT_NOFILE[^|]*$/)
  })

  it('are not asked for again by a lease that was released meanwhile', async () => {
    const result = await run(
      [socket('tcp')],
      { next: [[socket('tcp')]] },
      `
      await lease.listen(server)
      fill(0)
      void broker.list()
      await fullUntil(() => warned.length > 0)
      await lease.release()
      empty()
      clearInterval(alive)
      console.log(lease.state)`,
    )
    expect(result).toMatchObject({ code: 0, stdout: 'ended\n' })
  })

  it('wait for whoever queues at the former one, and are shown when a descriptor is free to look', async () => {
    const [old, next] = [socket('tcp'), socket('tcp')]
    const client = net.connect({ host: '127.0.0.1', port: portOf(old) })
    atEnd(() => client.destroy())
    await new Promise((resolve) => client.once('connect', resolve))
    const accept = () => {
      const taker = net.createServer((taken) => {
        taken.destroy()
        taker.close()
      })
      taker.listen({ fd: old.fd.dup().release() })
    }
    const result = await run(
      [old],
      { next: [[next]], accept },
      `
      const [number] = lease.fds
      const former = linkOf(number)
      void broker.list()
      await replaced
      console.log(linkOf(number) === former)
      const { readFileSync } = fs
      let full = true
      let failed = 0
      fs.readFileSync = (...args) => {
        if (full) fill(0)
        try { return readFileSync(...args) } catch (error) { failed++; throw error }
      }
      syncBuiltinESMExports()
      void broker.holders()
      await until(() => failed > 1)
      console.log(linkOf(number) === former)
      full = false
      empty()
      await until(() => linkOf(number) !== former)
      console.log(lease.fds[0] === number)
      process.exit()`,
    )
    expect(result).toEqual({ code: 0, stdout: 'true\ntrue\ntrue\n', stderr: '' })
  })

  it('leave the program’s own server on nothing when there is a descriptor for that', async () => {
    const [first, second] = [socket('tcp'), socket('tcp')]
    const result = await run(
      [first, second],
      { next: [[second]] },
      `
      hold(40)
      await lease.listen(server)
      const number = server._handle.fd
      const former = linkOf(number)
      const limit = (count) => spawnSync('prlimit', ['--pid', String(process.pid), '--nofile=' + count + ':'], { stdio: 'ignore' })
      limit(40)
      closeSync(held.shift())
      void broker.list()
      await replaced
      console.log(linkOf(number) === former, cookies())
      empty()
      limit(128)
      await until(() => linkOf(number) !== former)
      console.log(server.listening, await (await fetch('http://127.0.0.1:${portOf(second)}')).text())
      process.exit()`,
    )
    expect(result).toEqual({
      code: 0,
      stdout: `true ${second.description.cookie}\ntrue here\n`,
      stderr: '',
    })
  })
})
