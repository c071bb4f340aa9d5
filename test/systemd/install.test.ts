import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { IS_ROOT, temporaryDirectory } from '../support/daemon.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const LIMIT = 120_000
const bootsSystemd =
  IS_ROOT && existsSync('/lib/systemd/systemd') && readFileSync('/proc/filesystems', 'utf8').includes('cgroup2')

const ACTION = `
[[ $NODE -ef /usr/bin/node ]] || cp --remove-destination "$NODE" /usr/bin/node
files() { find /etc/fd-broker /usr/bin /usr/lib/fd-broker /usr/lib/systemd /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/share /run/fd-broker \\
  -path '*fd-broker*' ! -type d 2>/dev/null || true; }
"$ROOT/deploy/install" >&2
echo "installed: $(files | grep -c .)"
systemctl start fd-broker
fd-broker list
"$ROOT/deploy/install" --uninstall >&2
echo "left: $(files)"
systemctl is-active fd-broker || true
`

it.runIf(bootsSystemd)(
  'deploy/install puts a service in place that starts, and takes all of it away (needs root, systemd and cgroup v2)',
  () => {
    const directory = temporaryDirectory()
    const script = join(directory, 'action.sh')
    writeFileSync(script, ACTION)
    const { stdout, stderr } = spawnSync(join(ROOT, 'scripts/with-systemd'), ['--limit', '90', '--see', ROOT, script], {
      env: { ...process.env, TMPDIR: '/var/tmp', ROOT, NODE: process.execPath },
      timeout: LIMIT,
      encoding: 'utf8',
    })
    expect(stdout, stderr).toMatch(/^installed: [1-9]\d{2,}\n/)
    expect(stdout, stderr).toMatch(/\nNAME +ADDRESS .*\nleft: \ninactive\n$/)
  },
  LIMIT,
)
