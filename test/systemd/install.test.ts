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

/** The block of a document that has a line, without what sets it in. */
function blockWith(document: string, line: string): string {
  const blocks = readFileSync(join(ROOT, document), 'utf8').match(/^(?: {4}.*\n|\n(?= {4}))+/gm) ?? []
  const block = blocks.find((text) => text.includes(line))
  if (block === undefined) throw new Error(`${document} has no block with ${line}`)
  return block.replace(/^ {4}/gm, '')
}

/** The template and the commands below it, as the page has them. */
function releases(): { unit: string; first: string; next: string } {
  const all = blockWith('docs/howto-deploy.md', '/srv/app/%i/bin/server')
  const commands = all.match(/^systemctl .*$/gm)!
  expect(commands).toHaveLength(2)
  return { unit: all.slice(0, all.indexOf('systemctl ')), first: commands[0]!, next: commands[1]! }
}

const RELEASE = `
[[ $NODE -ef /usr/bin/node ]] || cp --remove-destination "$NODE" /usr/bin/node
"$ROOT/deploy/install" >&2
printf '[sockets.web]\nlisten = "tcp://127.0.0.1:8080"\nallow = ["user:www-data"]\n' >/etc/fd-broker/broker.toml
for release in v1 v2; do
  install -D /dev/stdin "/srv/app/$release/bin/server" <<SERVER
#!/bin/sh
RELEASE=$release exec /usr/bin/python3 /srv/app/server.py
SERVER
done
cp "$ROOT/examples/python-socket/server.py" /srv/app/
cp "$UNITS/app@.service" /etc/systemd/system/
chmod -R a+rX /srv/app
ip link set lo up
systemctl daemon-reload
answers() { until curl -s --max-time 2 127.0.0.1:8080 | grep -q "$1"; do sleep 0.1; done; echo "$1 answers"; }
eval "$FIRST"
answers v1
eval "$NEXT"
answers v2
# A drained one that waits in accept() answers one client more.
until [[ $(systemctl is-active app@v1) == inactive ]]; do curl -s --max-time 2 127.0.0.1:8080 >/dev/null; sleep 0.1; done
echo 'v1 has ended'
systemctl start app@v1
until [[ $(systemctl is-failed app@v1) == failed || $(journalctl -u app@v1 2>&1) == *ENDED* ]]; do sleep 0.1; done
answers v2
`

it.runIf(bootsSystemd)(
  'the template of docs/howto-deploy.md releases: the former instance ends by itself, and does not come back (needs root, systemd and cgroup v2)',
  () => {
    const directory = temporaryDirectory()
    const script = join(directory, 'action.sh')
    const template = join(directory, 'app@.service')
    const { unit, first, next } = releases()
    writeFileSync(script, RELEASE)
    writeFileSync(template, unit)
    const { stdout, stderr } = spawnSync(
      join(ROOT, 'scripts/with-systemd'),
      ['--limit', '90', '--see', ROOT, script, template],
      {
        env: { ...process.env, TMPDIR: '/var/tmp', ROOT, NODE: process.execPath, FIRST: first, NEXT: next },
        timeout: LIMIT,
        encoding: 'utf8',
      },
    )
    expect(stdout, stderr).toMatch(/v1 answers\nv2 answers\nv1 has ended\nv2 answers\n$/)
  },
  LIMIT,
)

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
