#!/usr/bin/env node
// Notes the state of stdin, stdout and stderr. The rest is linked after it: since Node 24 a static import of node:http looks at
// process.stderr before any line of ours runs, and looking at it sets O_NONBLOCK on a pipe that the parent may share.
import '../sys/program.ts'

const { processEnv } = await import('./env.ts')
const { run } = await import('./run.ts')
process.exitCode = await run(process.argv.slice(2), processEnv())
