import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child.ts'
import { until } from '../support/daemon.ts'
import { granting, type Handler, portOf } from '../support/fake-broker.ts'
import { useSdk } from '../support/sdk.ts'

const { scratch, serve, socket } = useSdk()

const FILL = `
import { openSync } from 'node:fs'
function fill() { for (;;) try { openSync('/dev/null') } catch (error) { return error.code } }
`

function child(script: string, options: { descriptors?: number; timeout?: number } = {}) {
  return runChild(script, { directory: scratch.path, socket: scratch.at('control.sock'), ...options })
}

describe('a process whose descriptor table is full', () => {
  it('still receives a socket, through the spare descriptor', async () => {
    const { fake } = serve(granting([socket('tcp')]))
    const result = await child(
      `${FILL}
      await broker.list()
      console.log(fill())
      const lease = await broker.acquire('web')
      console.log(lease.sockets.length, lease.state)
      try { lease.fd } catch (error) { console.log(error.code, error.message) }
      await lease.release()
      await broker.close()`,
      { descriptors: 128 },
    )
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/^EMFILE\n1 granted\nSYSTEM .*EMFILE.*RLIMIT_NOFILE/)
    expect(fake.requests.map(({ op }) => op)).toEqual(['hello', 'list', 'acquire', 'sockets', 'release'])
  })

  it('is told so when the spare is not enough, and the lease is given back', async () => {
    const { fake } = serve(granting([socket('tcp'), socket('tcp')]))
    const result = await child(
      `${FILL}
      await broker.list()
      fill()
      const error = await broker.acquire('web').catch((error) => error)
      console.log(error.code, error.message)
      await broker.list()
      process.exit()`,
      { descriptors: 128 },
    )
    expect(result.stderr).toBe('')
    expect(result.stdout).toMatch(/^SYSTEM .*EMFILE.*RLIMIT_NOFILE.*ulimit -n/)
    expect(fake.requests.map(({ op }) => op)).toContain('release')
  })

  it('comes back after a lost connection, and reclaims its lease', async () => {
    const reclaims: Handler = ({ op, lease }, peer) => {
      if (op === 'reclaim')
        setImmediate(() => peer.send({ event: 'drain', lease, reason: 'admin', deadline: Date.now() + 60_000 }))
      if (op === 'ready') setImmediate(() => peer.channel.close())
      return undefined
    }
    const { fake } = serve(granting([socket('tcp')], reclaims))
    const result = await child(
      `${FILL}
      const lease = await broker.acquire('web')
      lease.on('drain', ({ reason }) => { console.log(reason); process.exit() })
      lease.on('ended', ({ reason }) => { console.log(reason); process.exit() })
      // Whatever becomes free is taken at once, as by a server that accepts.
      setInterval(fill, 1)
      console.log(fill())
      await lease.ready()`,
      { descriptors: 128 },
    )
    expect(result).toEqual({ code: 0, stdout: 'EMFILE\nadmin\n', stderr: '' })
    expect(fake.requests.map(({ op }) => op)).toEqual(['hello', 'acquire', 'ready', 'hello', 'reclaim'])
  })

  it('is told so when there is no descriptor for the connection', async () => {
    serve(granting([]))
    const result = await child(`${FILL}; fill(); console.log(await broker.list().catch((error) => error.message))`, {
      descriptors: 128,
    })
    expect(result.stdout).toMatch(/cannot connect.*EMFILE.*RLIMIT_NOFILE/)
  })
})

describe('the process', () => {
  it('ends by itself when all it has is a lease', async () => {
    serve(granting([socket('tcp')]))
    const result = await child(`const lease = await broker.acquire('web'); console.log(lease.state)`, { timeout: 5000 })
    expect(result).toEqual({ code: 0, stdout: 'granted\n', stderr: '' })
  })

  it('ends by itself when all it had was a request that was never sent', async () => {
    serve(granting([]))
    const script = `await broker.acquire('no name').catch((error) => console.log(error.code))`
    expect(await child(script, { timeout: 5000 })).toEqual({ code: 0, stdout: 'INVALID\n', stderr: '' })
  })

  it('is kept while a request waits for its answer', async () => {
    const { fake } = serve(granting([], undefined, ['acquire']))
    let over = false
    const script = `broker.acquire('web', { wait: Infinity }).catch((error) => console.log(error.code))`
    const result = child(script).finally(() => {
      over = true
    })
    await until(() => fake.requests.at(-1)?.op === 'acquire', 'it has asked')
    expect(fake.requests.at(-1)).toMatchObject({ wait: -1 })
    await sleep(300)
    expect(over).toBe(false)
    fake.close()
    expect(await result).toEqual({ code: 0, stdout: 'CLOSED\n', stderr: '' })
  })

  it('ends by itself when it gave up a request that the broker keeps', async () => {
    serve(granting([], undefined, ['acquire', 'hello']))
    const script = `await broker.acquire('web', { wait: Infinity, signal: AbortSignal.timeout(100) }).catch((e) => console.log(e.name))`
    expect(await child(script, { timeout: 5000 })).toMatchObject({ code: 0, stdout: 'TimeoutError\n' })
  })

  it('loads neither the daemon nor the logger with the SDK', async () => {
    const script = `
    import { readFileSync } from 'node:fs'
    const loaded = readFileSync('/proc/self/maps', 'utf8')
    console.log(typeof broker.acquire, loaded.includes('fd_broker.node'))
    const sources = process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node'))
    console.log(sources.map((path) => path.split('/').at(-1)).join())`
    const { stdout } = await child(script)
    expect(stdout).toBe('function true\nfd_broker.node\n')
  })
})

describe('a cluster worker', () => {
  const inWorker = (script: string) => `
    import cluster from 'node:cluster'
    import http from 'node:http'
    import dgram from 'node:dgram'
    if (cluster.isPrimary) {
      cluster.fork().on('exit', (code) => process.exit(code))
    } else {
      const lease = await broker.acquire('web')
      ${script}
      await broker.close()
      process.exit(0)
    }`

  it('serves the socket itself, where Node alone opens the number in the primary', async () => {
    const web = socket('tcp')
    serve(granting([web]))
    const result = await child(
      inWorker(`
      const bare = http.createServer()
      console.log('bare', await new Promise((resolve) => {
        bare.on('error', (error) => resolve(error.code))
        bare.listen({ fd: lease.fds[0] }, () => resolve('port ' + bare.address()?.port))
      }))
      const server = http.createServer((request, response) => response.end('from worker'))
      await lease.listen(server)
      console.log(await (await fetch('http://127.0.0.1:${portOf(web)}/')).text())
      try { http.createServer().listen(lease) } catch (error) { console.log(error.code, error.message) }
      await new Promise((resolve) => { server.close(resolve); server.closeAllConnections() })`),
    )
    expect(result.stderr).toBe('')
    expect(result.stdout).not.toContain(`bare port ${portOf(web)}`)
    expect(result.stdout).toMatch(/^bare .*\nfrom worker\nINVALID .*cluster worker.*lease\.listen\(server\)\n$/)
    expect(result.code).toBe(0)
  })

  it('refuses a Unix socket clearly', async () => {
    serve(granting([socket('unix', scratch.at('web.sock'))]))
    const { stdout } = await child(
      inWorker(
        `console.log(await lease.listen(http.createServer()).catch((error) => error.code + ' ' + error.message))`,
      ),
    )
    expect(stdout).toMatch(/^INVALID .*Unix socket in a cluster worker/)
  })

  it('leaves a Unix socket out that its name gets later, with a warning, and serves the others', async () => {
    const [web, path] = [socket('tcp'), socket('unix', scratch.at('web.sock'))]
    const replaced = [path, web]
    serve(
      granting([web], ({ op }, peer) => {
        const event = { event: 'replaced', lease: 2, sockets: replaced.map(({ description }) => description) }
        const fds = replaced.map(({ fd }) => fd)
        if (op === 'list') setImmediate(() => peer.send(event, fds))
        return undefined
      }),
    )
    const { code, stdout } = await child(
      inWorker(`
      process.on('warning', ({ message }) => console.log(message))
      const server = http.createServer((request, response) => response.end('from worker'))
      await lease.listen(server)
      const told = new Promise((resolve) => lease.once('replaced', resolve))
      await broker.list()
      await told
      console.log(await (await fetch('http://127.0.0.1:${portOf(web)}/')).text())
      await new Promise((resolve) => { server.close(resolve); server.closeAllConnections() })`),
    )
    expect(stdout).toMatch(/^fd-broker: web has got unix:.*Unix socket in a cluster worker.*\nfrom worker\n$/)
    expect(code).toBe(0)
  })

  it('serves datagrams itself', async () => {
    serve(granting([socket('udp')]))
    const { stdout } = await child(
      inWorker(`
      const server = dgram.createSocket('udp4')
      await lease.listen(server)
      const got = new Promise((resolve) => server.once('message', (bytes) => resolve(String(bytes))))
      dgram.createSocket('udp4').send('ping', server.address().port, '127.0.0.1')
      console.log(await got)`),
    )
    expect(stdout).toBe('ping\n')
  })
})
