// A process of another user that tries without a pause to have a path for itself: whatever can be put there, or taken away.

import { NOBODY } from './daemon.ts'
import { startPython } from './python.ts'

const PROGRAM = `
import select, stat
path = sys.argv[1]
directory = os.path.dirname(path)
mine = directory + '/mine' + str(os.getpid())
def bind():
    with socket.socket(socket.AF_UNIX) as one: one.bind(path)
def create(): os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
def rename():
    with socket.socket(socket.AF_UNIX) as one: one.bind(mine)
    try: os.rename(mine, path)
    except OSError:
        os.unlink(mine)
        raise
def beside():
    for name in os.listdir(directory):
        if len(name) == 7 and name[0] == '.':
            os.rename(directory + '/' + name, mine)
            return
    raise OSError()
had = 0
say('ready')
while not select.select([sys.stdin], [], [], 0)[0]:
    for attempt in (bind, create, lambda: os.symlink('/etc/hostname', path), lambda: os.mkdir(path), rename, beside,
                    lambda: os.rename(path, mine), lambda: os.link('/etc/hostname', path)):
        try: attempt()
        except OSError: continue
        had += 1
        for each in (path, mine):
            try: os.rmdir(each) if stat.S_ISDIR(os.lstat(each).st_mode) else os.unlink(each)
            except OSError: pass
say(had)
`

export interface Squatter {
  /** How often it had the path, or what was to be put there. */
  end(): Promise<number>
}

export async function startSquatter(path: string): Promise<Squatter> {
  const python = startPython(PROGRAM, [path], NOBODY)
  await python.line()
  return {
    async end() {
      python.write('end')
      const had = Number(await python.line())
      await python.exit()
      return had
    },
  }
}
