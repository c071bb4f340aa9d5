// A web server that does not bind its port: it gets the socket `web` from the broker, and takes over from whoever served before.

import http from 'node:http'
import { broker } from 'fd-broker'

const release = process.env.RELEASE ?? 'unknown'
const server = http.createServer((_request, response) => response.end(`release ${release}, pid ${process.pid}\n`))

if (release === 'broken') throw new Error('this release does not start')

const web = await broker.acquire('web', { takeover: true })
await web.serve(server, { signals: true })
await broker.close()
