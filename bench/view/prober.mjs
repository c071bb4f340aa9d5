// Acquires and releases one name, again and again, and tells how long each acquire took: one line of JSON when its input ends.

import { connect } from '../../dist/client/index.js'

const [socket] = process.argv.slice(2)
const broker = connect({ socket })
let rounds = []
let going = true
process.stdin.on('data', () => {
  console.log(JSON.stringify(rounds))
  rounds = []
})
process.stdin.on('end', () => {
  going = false
})
while (going) {
  const before = performance.now()
  const lease = await broker.acquire('probe', { ready: true })
  rounds.push(performance.now() - before)
  await lease.release()
  await new Promise((resolve) => setTimeout(resolve, 1))
}
await broker.close()
