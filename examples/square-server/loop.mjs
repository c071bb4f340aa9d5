// The simplest supervisor: starts a command again whenever it ends. node loop.mjs COMMAND [ARG...]
import { spawn } from 'node:child_process'

const [command, ...args] = process.argv.slice(2)
let child
let stopping = false

function start() {
  child = spawn(command, args, { stdio: ['ignore', 'ignore', 'ignore'] })
  child.once('exit', () => (stopping ? process.exit(0) : start()))
}

process.once('SIGTERM', () => {
  stopping = true
  child.kill('SIGKILL')
})
start()
