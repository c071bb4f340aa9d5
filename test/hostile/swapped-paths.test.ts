// A socket in a directory that belongs to an attacker, who puts a link to another's file in its place at the worst moment: right after
// the broker, which is root, has made it, and before its mode and owner are set. The swap is made by a library in the broker, since no
// attacker of a test is always in time.

import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  exitOf,
  IS_ROOT,
  launch,
  NOBODY,
  startDaemon,
  stopCleanly,
  temporaryDirectory,
  writeConfig,
} from '../support/daemon.ts'
import { before } from '../support/hostile.ts'
import { forbidLeaks } from '../support/leaks.ts'
import { cli, rewrite } from '../support/reloading.ts'

forbidLeaks()

const SWAP = `
static int is_theirs(const char *path) { return strstr(path, "/theirs/") != NULL; }
static void swap(const char *path)
{
  char old[200];
  snprintf(old, sizeof old, "%s.old", path);
  rename(path, old);
  if (symlink(getenv("VICTIM"), path) < 0) abort();
}
int mkdir(const char *path, mode_t mode)
{
  int result = NEXT(mkdir)(path, mode);
  if (result == 0 && is_theirs(path) && strcmp(getenv("SWAP"), "mkdir") == 0) swap(path);
  return result;
}
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
  const struct sockaddr_un *un = (const void *)address;
  int result = NEXT(bind)(fd, address, length);
  if (result == 0 && un->sun_family == AF_UNIX && is_theirs(un->sun_path) && strcmp(getenv("SWAP"), "bind") == 0) swap(un->sun_path);
  return result;
}
`

/** A directory of the attacker's, a file that is not his, and what swaps the one for the other. */
function stage(swapped: 'mkdir' | 'bind') {
  const directory = temporaryDirectory()
  const theirs = join(directory, 'theirs')
  const victim = join(directory, 'victim')
  mkdirSync(theirs)
  chownSync(theirs, NOBODY, NOBODY)
  writeFileSync(victim, 'secret', { mode: 0o600 })
  const env = { ...before(directory, 'swap', SWAP), SWAP: swapped, VICTIM: victim }
  const victimNow = () => {
    const { mode, uid, gid } = statSync(victim)
    return [mode & 0o7777, uid, gid]
  }
  return { directory, theirs, victim, env, victimNow }
}

const UNTOUCHED = [0o600, 0, 0]
const NAIVE = {
  mkdir: `import os; os.mkdir(path, 0o700); os.chmod(path, 0o755)`,
  bind: `import os, socket; socket.socket(socket.AF_UNIX).bind(path); os.chown(path, ${NOBODY}, ${NOBODY}); os.chmod(path, 0o666)`,
}

describe.runIf(IS_ROOT)('what is put in the place of a path that root has just made (needs root)', () => {
  it.each(['mkdir', 'bind'] as const)(
    '%s: it is not given the mode and the owner, which it is where nobody looks',
    async (swapped) => {
      const naive = stage(swapped)
      execFileSync('python3', ['-c', `path = '${naive.theirs}/run'; ${NAIVE[swapped]}`], {
        env: { ...process.env, ...naive.env },
      })
      expect(naive.victimNow()).not.toEqual(UNTOUCHED)

      const { directory, theirs, env, victimNow } = stage(swapped)
      const options = `directory_mode = "0755"\nsocket_mode = "0666"\nsocket_user = ${NOBODY}\nsocket_group = ${NOBODY}`
      const config = writeConfig(directory, {
        sockets: `[sockets.web]\nlisten = "unix://${theirs}/run/web.sock"\nallow = ["any"]\n${options}\n`,
      })
      const daemon = launch(directory, config, { env })
      expect(await exitOf(daemon)).toBe(111)
      expect(daemon.stderr()).toMatch(/\[sockets\.web\]: unix:.*(replaced as soon as|ENOTDIR|ELOOP)/)
      expect(victimNow()).toEqual(UNTOUCHED)
    },
  )

  it.each([
    ['a link', (path: string, victim: string) => symlinkSync(victim, path)],
    ['the file itself', (path: string, victim: string) => renameSync(victim, path)],
  ])('%s in the place of a socket that serves is not given the mode of a reload, which is refused', async (_, put) => {
    const { directory, theirs, victim } = stage('bind')
    const sockets = (mode: string) =>
      `[sockets.web]\nlisten = "unix://${theirs}/web.sock"\nallow = ["any"]\nsocket_mode = "${mode}"\nsocket_user = ${NOBODY}\n`
    const daemon = await startDaemon({ directory, sockets: sockets('0600') })
    const path = join(theirs, 'web.sock')
    renameSync(path, `${path}.old`)
    put(path, victim)
    rewrite(daemon, sockets('0666'))
    const { status, stderr } = await cli(daemon, 'reload')
    expect({ status, stderr }).toEqual({
      status: 111,
      stderr: expect.stringContaining('is not the socket that was bound'),
    })
    const { mode, uid } = statSync(path)
    expect([mode & 0o7777, uid]).toEqual([0o600, 0])
    await stopCleanly(daemon)
  })
})
