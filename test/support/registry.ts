// A package registry on loopback that has a few tarballs, so that `npm install NAME` is run as it is written and nothing is fetched.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { atEnd } from './cleanup.ts'

interface Manifest {
  name: string
  version: string
}

/** Returns its URL; it ends with the test. Optional packages that it does not have are left out by npm. */
export async function startRegistry(tarballs: readonly string[]): Promise<string> {
  const packages = new Map(
    tarballs.map((tarball) => {
      const manifest = JSON.parse(
        execFileSync('tar', ['-xzOf', tarball, 'package/package.json'], { encoding: 'utf8' }),
      ) as Manifest
      return [manifest.name, { manifest, bytes: readFileSync(tarball) }]
    }),
  )
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!.slice(1))
    const name = path.replace(/\.tgz$/, '')
    const found = packages.get(name)
    if (found === undefined) response.writeHead(404).end('{}')
    else if (path !== name) response.end(found.bytes)
    else response.end(JSON.stringify(describe(found.manifest, found.bytes, `${url}${name}.tgz`)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return url
}

function describe(manifest: Manifest, bytes: Buffer, tarball: string) {
  const { name, version } = manifest
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, dist: { tarball, integrity } } },
  }
}
