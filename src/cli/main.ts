#!/usr/bin/env node
// For `exec`, notes the state of stdin, stdout and stderr. The rest is linked after it: since Node 24 a static import of node:http looks
// at process.stderr before any line of ours runs, and looking at it sets O_NONBLOCK on a pipe that the parent may share. Otherwise the
// addon is not loaded before it is needed: `doctor` has to say what is wrong with it.
import { START_VARIABLE } from '../sys/launcher-variables.ts'

if (process.env[START_VARIABLE] !== undefined) await import('../sys/program.ts')

const { processEnv, run } =
  process.env['FD_BROKER_KEEPER'] === undefined || !process.argv.includes('serve')
    ? { ...(await import('./env.ts')), ...(await import('./run.ts')) }
    : await (await import('./load-broker.ts')).loadBroker()
process.exitCode = await run(process.argv.slice(2), processEnv())
