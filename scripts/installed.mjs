// Exits 0 when node_modules is what package-lock.json says: npm keeps a copy of the lock of what it installed.

import { readFileSync } from 'node:fs'

function readPackages(path) {
  try {
    const { '': _root, ...packages } = JSON.parse(readFileSync(path, 'utf8')).packages
    return packages
  } catch {
    return undefined
  }
}

const wanted = readPackages('package-lock.json')
const present = readPackages('node_modules/.package-lock.json')

/** An optional package may be absent: it is for another platform, or did not compile. */
function isInstalled() {
  if (!wanted || !present) return false
  const same = Object.entries(present).every(([path, { version }]) => wanted[path]?.version === version)
  return same && Object.entries(wanted).every(([path, { optional }]) => optional || present[path])
}

process.exitCode = isInstalled() ? 0 : 1
