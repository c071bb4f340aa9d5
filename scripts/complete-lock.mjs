// npm ci refuses a lock file that lacks the optional packages of other platforms, and npm leaves them out of the lock when
// the registry it asks does not carry them. This adds an entry for each: os, cpu and libc keep it from being installed here.
// Run it after `npm install` has changed package-lock.json.

import { readFileSync, writeFileSync } from 'node:fs'

const OS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const CPU = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/** What npm would have read from the package itself, told by its name: `@scope/binding-linux-x64-musl`. */
function platformEntry(name, version, dev) {
  const words = name.split(/[/-]/)
  const os = OS.filter((word) => words.includes(word))
  const cpu = CPU.filter((word) => words.includes(word))
  if (os.length !== 1 || cpu.length !== 1) return undefined
  const musl = words.some((word) => word.startsWith('musl'))
  const gnu = words.some((word) => word.startsWith('gnu'))
  const libc = musl ? { libc: ['musl'] } : gnu ? { libc: ['glibc'] } : {}
  return { version, cpu, ...(dev ? { dev } : {}), ...libc, optional: true, os }
}

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
let added = 0
for (const { dev, optionalDependencies = {} } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const path = `node_modules/${name}`
    const entry = lock.packages[path] ? undefined : platformEntry(name, version, dev)
    if (!entry) continue
    lock.packages[path] = entry
    added += 1
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')))
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`)
console.log(`package-lock.json: ${added} entries for other platforms added`)
