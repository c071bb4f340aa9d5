import { describe, expect, it } from 'vitest'
import { type PathSources, SYSTEM_SOCKET, socketPath } from './socket-path.ts'

const user = '/run/user/1000/fd-broker/control.sock'
const sources = (change: Partial<PathSources>): PathSources => ({
  env: { XDG_RUNTIME_DIR: '/run/user/1000' },
  uid: 1000,
  exists: () => false,
  ...change,
})

describe('the path of the control socket', () => {
  it('is the one asked for, before FD_BROKER_SOCKET', () => {
    const env = { FD_BROKER_SOCKET: '/b' }
    expect(socketPath('/a', sources({ env }))).toEqual({ path: '/a', explicit: true })
    expect(socketPath(undefined, sources({ env }))).toEqual({ path: '/b', explicit: true })
  })

  it('is the system’s when that exists, else the user’s', () => {
    const exists = (path: string) => path === SYSTEM_SOCKET
    expect(socketPath(undefined, sources({ exists }))).toEqual({ path: SYSTEM_SOCKET, explicit: false })
    expect(socketPath(undefined, sources({}))).toEqual({ path: user, explicit: false })
  })

  it('is never the user’s for root, and the system’s where there is no XDG_RUNTIME_DIR', () => {
    expect(socketPath(undefined, sources({ uid: 0 })).path).toBe(SYSTEM_SOCKET)
    expect(socketPath(undefined, sources({ env: {} })).path).toBe(SYSTEM_SOCKET)
    expect(socketPath(undefined, sources({ env: { FD_BROKER_SOCKET: '' } })).path).toBe(SYSTEM_SOCKET)
  })
})
