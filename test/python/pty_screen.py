"""A program in a terminal of its own. Commands come by line on stdin, answers go as JSON lines to stdout:
["screen"], ["keys", TEXT], ["size", COLUMNS, ROWS], ["signal", NAME], ["close"]: the window goes, the program may not."""
import codecs, fcntl, glob, json, os, pty, re, select, signal, struct, sys, termios

SEQUENCE = re.compile('\x1b\\[([?0-9;]*)([A-Za-z])')


class Screen:
    """As much of ECMA-48 as a full-screen program needs that writes whole lines at given places."""

    def __init__(self, columns, rows):
        self.resize(columns, rows)
        self.modes = {}
        self.unknown = []

    def resize(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.clear()

    def clear(self):
        self.cells = [[' '] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0

    def feed(self, text):
        while text:
            match = SEQUENCE.match(text)
            if match:
                self.obey(*match.groups())
                text = text[match.end():]
                continue
            if text[0] == '\x1b':
                return text
            self.put(text[0])
            text = text[1:]
        return ''

    def obey(self, arguments, letter):
        if letter in 'hl' and arguments.startswith('?'):
            self.modes[arguments[1:]] = letter == 'h'
            if arguments == '?1049':
                self.clear()
        elif letter == 'H':
            row, column = (int(each) for each in arguments.split(';'))
            self.row, self.column = row - 1, column - 1
        elif letter == 'J' and arguments == '2':
            self.clear()
        elif letter != 'm':
            self.unknown.append(arguments + letter)

    def put(self, character):
        if character == '\n':
            self.row += 1
        elif character == '\r':
            self.column = 0
        elif ord(character) < 32:
            self.unknown.append(repr(character))
        elif self.row < self.rows and self.column < self.columns:
            self.cells[self.row][self.column] = character
            self.column += 1


def set_size(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))


def main():
    columns, rows = int(sys.argv[1]), int(sys.argv[2])
    gate_read, gate_write = os.pipe()
    pid, master = pty.fork()
    if pid == 0:
        os.close(gate_write)
        os.read(gate_read, 1)
        os.execvp(sys.argv[3], sys.argv[3:])
    os.close(gate_read)
    set_size(master, columns, rows)
    before = termios.tcgetattr(master)
    os.close(gate_write)
    screen, rest, written, ended = Screen(columns, rows), '', 0, None
    decoder = codecs.getincrementaldecoder('utf-8')('replace')
    commands = open(0, 'rb', buffering=0)
    closed = False
    while True:
        ready, _, _ = select.select([0, master] if ended is None else [0], [], [])
        if master in ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                continue
            written += len(data)
            rest = screen.feed(rest + decoder.decode(data))
        elif 0 in ready:
            line = commands.readline()
            if not line:
                break
            command, *arguments = json.loads(line)
            if command == 'keys':
                os.write(master, arguments[0].encode())
            elif command == 'size':
                screen.resize(*arguments)
                set_size(master, *arguments)
            elif command == 'close':
                os.close(master)
                closed = True
                ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            elif command == 'signal':
                os.kill(pid, getattr(signal, arguments[0]))
            elif command == 'screen':
                lines = [''.join(row) for row in screen.cells]
                modes = before if closed else termios.tcgetattr(master)
                answer(lines=lines, modes=screen.modes, unknown=screen.unknown, written=written, ended=ended,
                       restored=modes[:4] == before[:4], busy=ended is None and has_children(pid))
    if ended is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def has_children(pid):
    for path in glob.glob(f'/proc/{pid}/task/*/children'):
        try:
            with open(path) as children:
                if children.read():
                    return True
        except OSError:
            pass  # the thread has ended
    return False


def answer(**fields):
    print(json.dumps(fields), flush=True)


main()
