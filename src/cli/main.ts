#!/usr/bin/env node
import { processEnv } from './env.ts'
import { run } from './run.ts'

process.exitCode = await run(process.argv.slice(2), processEnv())
