#!/usr/bin/env node
// First, and by itself: it takes note of what the rest changes.
import '../sys/program.ts'

import { processEnv } from './env.ts'
import { run } from './run.ts'

process.exitCode = await run(process.argv.slice(2), processEnv())
