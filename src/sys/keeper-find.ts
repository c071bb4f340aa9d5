// Where the keeper's program is: built beside the addon, or shipped with it.

import { accessSync, constants } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NAME = 'fd-broker-keeper'
const root = fileURLToPath(new URL('../..', import.meta.url))

/** In the order in which node-gyp-build looks for the addon. Throws an Error that says what to do. */
export function findKeeper(): string {
  const places = [`build/Release/${NAME}`, `prebuilds/${process.platform}-${process.arch}/${NAME}`]
  const found = places.map((place) => `${root}${place}`).find(isExecutable)
  if (found !== undefined) return found
  const where = places.map((place) => `${root}${place}`).join(' and ')
  throw new Error(
    `the keeper is missing: no program at ${where}; build it there: npm run build:native, or serve --no-keeper`,
  )
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
