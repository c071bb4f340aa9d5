// What a broker under a keeper needs of the command line. scripts/build makes one file of this and of the 200 that it imports
// (load-broker.ts): Node takes a millisecond or so for each file, and clients of a broker that died wait for the next one.

export { processEnv } from './env.ts'
export { run } from './run.ts'
