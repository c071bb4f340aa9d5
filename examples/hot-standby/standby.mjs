// Initialised and waiting: serves at the moment the holder of the exclusive name `web` ends, however it ends.

import http from 'node:http'
import { broker } from 'fd-broker'

const server = http.createServer((_request, response) => response.end(`${process.env.RELEASE}\n`))

const web = await broker.acquire('web', { wait: Number.POSITIVE_INFINITY })
await web.serve(server, { signals: true })
