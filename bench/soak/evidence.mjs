// What explains why most requests fail, kept at the first moment at which they do: whose sockets listen on the port, who has them
// open, what the broker says of its names and holders, and its log.

import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CLI = join(import.meta.dirname, '../../dist/cli/main.js')
const LOOK_MS = 1000
/** So many seconds' worth of requests without an answer are more than a frozen worker or a dead broker explains. */
const UNANSWERED_S = 3
const PATIENCE_MS = 10_000

export class Evidence {
  /** Where it is, once there was reason to keep it. */
  directory = null
  #stage
  #load
  #rate
  #seen = 0
  #timer

  constructor(stage, load, rate) {
    this.#stage = stage
    this.#load = load
    this.#rate = rate
    this.#timer = setInterval(() => this.#look(), LOOK_MS)
  }

  end() {
    clearInterval(this.#timer)
    if (this.directory !== null) copyFileSync(this.#stage.log, join(this.directory, 'broker.log'))
  }

  #look() {
    const finished = this.#load.requests.slice(this.#seen)
    this.#seen += finished.length
    const failed = finished.filter(({ error }) => error !== undefined).length
    const stuck = this.#load.pending() > UNANSWERED_S * this.#rate
    if (this.directory === null && (stuck || failed > Math.max(finished.length, this.#rate) / 2)) this.#keep()
  }

  #keep() {
    this.directory = mkdtempSync(join(tmpdir(), 'fd-broker-soak-evidence-'))
    const { control, port, workers, missing } = this.#stage
    const write = (name, text) => writeFileSync(join(this.directory, name), text)
    const inodes = listeningInodes(port)
    write('open.json', JSON.stringify({ inodes, holders: holdersOf(inodes) }, null, 1))
    write('stage.json', JSON.stringify({ port, workers: workers.map(describeProcess), missing }, null, 1))
    copyFileSync(this.#stage.log, join(this.directory, 'broker.log'))
    const run = (name, file, args) =>
      execFile(file, args, { timeout: PATIENCE_MS }, (error, stdout, stderr) =>
        write(name, stdout + stderr + (error?.message ?? '')),
      )
    for (const verb of ['list', 'holders', 'stats'])
      run(`${verb}.json`, process.execPath, [CLI, '--socket', control, verb, '--json'])
    run('ss.txt', 'ss', ['-tnpe', '-a', 'sport', '=', `:${port}`])
  }
}

/** Sockets in state LISTEN on the port (proc_net_tcp(5)). */
function listeningInodes(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)
  const rows = lines.map((line) => line.trim().split(/\s+/))
  return rows.filter((row) => row[1]?.endsWith(`:${hex}`) && row[3] === '0A').map((row) => Number(row[9]))
}

function holdersOf(inodes) {
  const wanted = new Map(inodes.map((inode) => [`socket:[${inode}]`, inode]))
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const found = openFiles(pid).filter(({ link }) => wanted.has(link))
      const fds = found.map(({ fd, link }) => ({ fd: Number(fd), inode: wanted.get(link) }))
      return fds.length === 0 ? [] : [{ ...describeProcess({ pid: Number(pid) }), fds }]
    })
}

/** A process may end, and a descriptor be closed, while we look. */
const orElse = (read, otherwise) => {
  try {
    return read()
  } catch {
    return otherwise
  }
}

function openFiles(pid) {
  const fds = orElse(() => readdirSync(`/proc/${pid}/fd`), [])
  return fds.map((fd) => ({ fd, link: orElse(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) }))
}

function describeProcess({ pid }) {
  const read = (name) => orElse(() => readFileSync(`/proc/${pid}/${name}`, 'utf8').replaceAll('\0', ' ').trim())
  return { pid, command: read('cmdline'), state: /State:\s+(.+)/.exec(read('status') ?? '')?.[1], waits: read('wchan') }
}
