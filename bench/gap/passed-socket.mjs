// A listening socket that a supervisor passes on, as systemd does. Node.js accepts on whatever it listens on itself, so it is a broker's.

import { closeSync } from 'node:fs'
import { connect } from '../../dist/client/index.js'

/** `fd`, which belongs to the caller until `close`. */
export async function passedSocket({ control }) {
  const broker = connect({ socket: control })
  const { fd } = await broker.acquire('web', { ready: true })
  const close = async () => {
    closeSync(fd)
    await broker.close()
  }
  return { fd, close }
}
