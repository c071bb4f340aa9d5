// An HTTP server that takes over from the release before it: that one drains when this one is ready, and then ends.

import http from 'node:http'
import { broker } from 'fd-broker'

const release = process.env.RELEASE

const server = http.createServer((_request, response) => response.end(`${release}\n`))

const web = await broker.acquire('web', { takeover: true, generation: release })
if (process.env.BROKEN) throw new Error('the database is not there')
await web.serve(server, { signals: true })
