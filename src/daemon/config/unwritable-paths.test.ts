import { expect, it } from 'vitest'
import { config } from '../../../test/support/config-texts.ts'
import { byMode, type DirectoryStat, unwritableDirectories } from './unwritable-paths.ts'

const www = 33
const BROKER = 'user = "www-data"\ncontrol = "/run/b/control.sock"\nstate_dir = "/var/lib/b"'

function found(listen: string, stat?: DirectoryStat, { keys = '', broker = BROKER } = {}): string[] {
  const model = config(`[broker]\n${broker}\n[sockets.web]\nlisten = "${listen}"\nallow = ["any"]\n${keys}`)
  return unwritableDirectories(model, { ...byMode, stat: () => stat }).map(({ directory }) => directory)
}

const root = { uid: 0, gid: 0, mode: 0o755 }

it.each<[string, DirectoryStat | undefined, string[]]>([
  ['that is root’s', root, ['/run/app']],
  ['that is the user’s', { ...root, uid: www }, []],
  ['that is the user’s, and not to be written', { ...root, uid: www, mode: 0o577 }, ['/run/app']],
  ['that the user’s group may write', { ...root, gid: www, mode: 0o775 }, []],
  ['that another group may write', { ...root, gid: 4, mode: 0o775 }, ['/run/app']],
  ['that all may write', { ...root, mode: 0o777 }, []],
  ['that all may write, and that is sticky', { ...root, mode: 0o1777 }, ['/run/app']],
  ['that is sticky and the user’s', { ...root, uid: www, mode: 0o1777 }, []],
  ['that there is not, so that root makes it', undefined, ['/run/app']],
])('a directory %s', (_, stat, expected) => expect(found('unix:///run/app/web', stat)).toEqual(expected))

it('in a sticky one the path’s own user may replace it', () => {
  expect(found('unix:///tmp/web', { ...root, mode: 0o1777 }, { keys: 'socket_user = "www-data"' })).toEqual([])
})

it('a missing one that the broker makes for itself is the user’s', () => {
  expect(found('unix:///run/b/web')).toEqual([])
  expect(found('unix:///var/lib/b/web')).toEqual([])
  expect(found('unix:///run/b/web/web')).toEqual(['/run/b/web'])
})

it('only paths matter, and only to a broker that gives up root', () => {
  expect(found('unix://@web', root)).toEqual([])
  expect(found('tcp://127.0.0.1:80', root)).toEqual([])
  expect(found('unix:///run/app/web', root, { broker: '' })).toEqual([])
})

it('many names of a directory are one finding', () => {
  const names = Array.from({ length: 7 }, (_, i) => `[sockets.n${i}]\nlisten = "unix:///run/app/${i}"\nallow = []\n`)
  const model = config(`[broker]\n${BROKER}\n${names.join('')}`)
  expect(unwritableDirectories(model, { ...byMode, stat: () => root })).toEqual([
    {
      directory: '/run/app',
      names: ['n0', 'n1', 'n2', 'n3', 'n4', 'n5', 'n6'],
      what: 'www-data cannot replace a path in /run/app: a socket of n0, n1, n2, n3, n4 and 2 more that a holder shuts stays lost',
      remedy: 'let it lie in a directory of www-data’s own, or run the broker as root, without user',
    },
  ])
})
