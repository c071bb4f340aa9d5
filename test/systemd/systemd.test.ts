import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { IS_ROOT, temporaryDirectory } from '../support/daemon.ts'
import { useInstalledCopy } from '../support/installed-copy.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DEPLOY = join(ROOT, 'deploy')
const copy = useInstalledCopy()

/** The namespaces need root and cgroup v2. */
const bootsSystemd =
  IS_ROOT &&
  existsSync('/lib/systemd/systemd') &&
  readFileSync('/proc/filesystems', 'utf8').includes('cgroup2') &&
  hasTool('nsenter')
const LIMIT = 120_000

function hasTool(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
}

const CONFIG = `[sockets.web]
listen = ["tcp://127.0.0.1:8080", "tcp://[::1]:8080"]
allow = ["any"]
drain_timeout = "2s"

[sockets.local]
listen = "unix:///run/local/app.sock"
allow = ["any"]
`

/** Runs `action` in bash under a systemd of its own, the broker installed and `files` beside its config; returns what it printed. */
async function underSystemd(action: string, files: Record<string, string> = {}, config = CONFIG): Promise<string> {
  const directory = temporaryDirectory()
  const texts = { 'broker.toml': config, ...files }
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(directory, name), text)
  const words = ['--see', copy(), '--see', directory, '--see', ROOT, join(import.meta.dirname, 'stage.sh')]
  const { stdout } = await promisify(execFile)(
    join(ROOT, 'scripts/with-systemd'),
    [
      '--limit',
      '100',
      ...words,
      join(DEPLOY, 'fd-broker.service'),
      ...Object.keys(texts).map((name) => join(directory, name)),
    ],
    {
      env: { ...process.env, COPY: copy(), NODE: process.execPath, ACTION: action, TESTS: import.meta.dirname },
      timeout: LIMIT,
    },
  )
  return stdout
}

/** The unit's watchdog waits half a minute. */
const SOON = `mkdir /etc/systemd/system/fd-broker.service.d
  printf '[Service]\\nWatchdogSec=3\\n' >/etc/systemd/system/fd-broker.service.d/soon.conf; systemctl daemon-reload\n`

interface Seen {
  answered: number
  failed: string[]
  sameCookies: boolean
  sameLeases: boolean
  stored: number[]
  status: string
  restarts: number
}

const drive = async (action: string, times: number) =>
  JSON.parse(
    await underSystemd(
      `${SOON}python3 "$TESTS/drive.py" ${action} ${times} /usr/lib/fd-broker/examples/web-worker.mjs`,
    ),
  ) as Seen

describe.runIf(bootsSystemd)('under systemd (needs root, systemd and cgroup v2)', () => {
  it.each([
    ['systemctl restart', 'restart', 2],
    ['systemctl reload', 'reload', 2],
    ['kill -9 of the broker, as for want of memory', 'kill-broker', 2],
    ['kill -9 of keeper and broker', 'kill-both', 2],
    ['a restart, and kill -9 of the broker after it', 'restart-kill', 1],
    ['an upgrade, and a restart after it', 'upgrade-restart', 2],
    ['a broker that hangs, whom the watchdog ends', 'hang', 1],
  ])(
    '%s costs no connection, no socket and no lease',
    async (_what, action, times) => {
      const seen = await drive(action, times)
      expect(seen).toMatchObject({ failed: [], sameCookies: true, sameLeases: true, status: '2 names, 1 holder' })
      expect(seen.answered).toBeGreaterThan(100)
      // The store does not grow with each start.
      expect(new Set(seen.stored).size).toBe(1)
    },
    LIMIT,
  )

  it('a name that is not configured any more is removed from the store', async () => {
    const text = await underSystemd(`
      stored() { systemctl show -P NFileDescriptorStore fd-broker; }
      systemctl start fd-broker; sleep 1; stored
      sed -i '/sockets.local/,$d' /etc/fd-broker/broker.toml
      systemctl restart fd-broker; sleep 1; stored
      fd-broker list --json | grep -c '"name"'`)
    const [before, after, names] = text.trim().split('\n').map(Number) as [number, number, number]
    expect(names).toBe(1)
    expect(after).toBe(before - 1)
  })

  it(
    'sockets that leave are stored, leave on over a restart and kill -9 of everything, and are closed at their deadline',
    async () => {
      const config = (port: number, priority: number) =>
        `[sockets.web]\nlisten = ["tcp://127.0.0.1:8081", "tcp://127.0.0.1:${port}"]\nallow = ["any"]\ndrain_timeout = "20s"\n` +
        `sockopt = [{ level = 1, name = 12, value = ${priority} }]\n`
      const text = await underSystemd(
        `stored() { systemctl show -P NFileDescriptorStore fd-broker; }
      count() { ss -Hltn "sport = $1" | wc -l; }
      tell() { sleep 1; echo "$1: $(count 8081) $(count 8082) $(count 8083) $(stored)"; }
      systemctl start fd-broker
      fd-broker exec web -- sh -c 'trap "" TERM; while :; do sleep 1; done' &
      until fd-broker holders --json | grep -q '"pid"'; do sleep 0.1; done
      tell before
      cp $UNITS/next.toml /etc/fd-broker/broker.toml; fd-broker reload >/dev/null; tell reloaded
      systemctl restart fd-broker; tell restarted
      keeper=$(systemctl show -P MainPID fd-broker); kill -9 $keeper $(pgrep -P $keeper); tell killed
      until journalctl -u fd-broker -o cat | grep -q 'old socket closed'; do sleep 1; done; tell closed
      journalctl -u fd-broker -o cat | grep -c 'old socket closed'; kill -9 $!`,
        { 'next.toml': config(8083, 2) },
        config(8082, 1),
      )
      // Beside two sockets more, and the anchor of the one without a successor, the store has the same.
      const stored = Number(/^before: 1 1 0 (\d+)$/m.exec(text)?.[1])
      const leaving = `2 1 1 ${stored + 3}`
      expect(text).toBe(
        `before: 1 1 0 ${stored}\nreloaded: ${leaving}\nrestarted: ${leaving}\nkilled: ${leaving}\nclosed: 1 0 1 ${stored}\n2\n`,
      )
    },
    LIMIT,
  )

  it(
    'the keeper and the broker have the nice value of the unit (needs CAP_SYS_NICE)',
    async () => {
      const text = await underSystemd(`
      systemctl start fd-broker; keeper=$(systemctl show -P MainPID fd-broker)
      ps -o ni= -p $keeper,$(pgrep -P $keeper)
      nice -n $((-5 - $(nice))) nice`)
      const [keeper, broker, possible] = text.trim().split(/\s+/)
      expect([keeper, broker]).toEqual([possible, possible])
    },
    LIMIT,
  )

  it('a socket of a .socket unit is adopted by its name', async () => {
    const drop = '[Socket]\nListenStream=\nListenStream=127.0.0.1:8081\n'
    const text = await underSystemd(
      `mkdir /etc/systemd/system/fd-broker@web.socket.d; cp $UNITS/fd-broker@.socket /etc/systemd/system/
      cp $UNITS/address.conf /etc/systemd/system/fd-broker@web.socket.d/; systemctl daemon-reload
      systemctl start fd-broker@web.socket; ss -Hltn 'sport = 8081' | wc -l
      inode() { ss -Hltne 'sport = 8081' | grep -o 'ino:[0-9]*'; }
      inode; systemctl start fd-broker; fd-broker list; inode; systemctl restart fd-broker; inode; fd-broker list`,
      {
        'fd-broker@.socket': readFileSync(join(DEPLOY, 'fd-broker@.socket'), 'utf8'),
        'address.conf': drop,
      },
      '[sockets.web]\nlisten = "tcp://127.0.0.1:8081"\nallow = ["any"]\n',
    )
    expect(text).toMatch(/^1$/m)
    expect(text.match(/^web +tcp:\/\/127.0.0.1:8081 /gm)).toHaveLength(2)
    expect(new Set(text.match(/ino:\d+/g)).size).toBe(1)
    expect(text.match(/ino:\d+/g)).toHaveLength(3)
  })
})

it.runIf(hasTool('systemd-analyze'))('the unit exposes no more than 2.5 (needs systemd-analyze)', () => {
  const { status, stdout, stderr } = spawnSync(
    'systemd-analyze',
    ['security', '--offline=true', '--threshold=25', join(DEPLOY, 'fd-broker.service')],
    { encoding: 'utf8', env: { ...process.env, SYSTEMD_LOG_LEVEL: 'crit' } },
  )
  expect(stdout + stderr).toMatch(/Overall exposure level for fd-broker\.service: [0-2]\.\d/)
  expect(status).toBe(0)
})
