// A holder without rights that does what it is told to the socket that all share: python as `nobody`, with a lease of its own.

import { NOBODY } from './daemon.ts'
import { type Python, startPython } from './python.ts'
import { requestBytes } from './raw-client.ts'

const PROGRAM = `
import errno
path = sys.argv[1]
hello, *acquires = (bytes.fromhex(text) for text in sys.argv[2].split(','))
readies = [bytes.fromhex(text) for text in sys.argv[3].split(',')]
names = sys.argv[4].split(',')
control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.connect(path)
def ask(packet):
    control.send(packet)
    return control.recvmsg(65536, 4096)[1]
ask(hello)
def take(packet):
    ancillary = ask(packet)
    return socket.socket(fileno=array.array('i', ancillary[0][2])[0])
sockets = {name: take(packet) for name, packet in zip(names, acquires)}
for packet in readies: ask(packet)
held = sockets[names[0]]
libc = ctypes.CDLL(None, use_errno=True)
def unspec(fd): libc.connect(fd, struct.pack('HHQQ', 0, 0, 0, 0), 16)
def opt(level, name, value): held.setsockopt(level, name, value)
def md5_key(host, prefix):
    flags, prefix = (0, 0) if prefix is None else (1, prefix)
    address = struct.pack('HH4s', socket.AF_INET, 0, socket.inet_aton(host)).ljust(128, b'\\0')
    return address + struct.pack('BBHi', flags, prefix, 3, 0) + b'key'.ljust(80, b'\\0')
def reaches(seconds):
    try: socket.create_connection(held.getsockname(), seconds).close()
    except TimeoutError: return False
    return True
def peer():
    try: return str(held.getpeername())
    except OSError: return 'none'
def hangup():
    poll = select.poll()
    poll.register(held.fileno(), 0x2000)
    return [events & ~1 for _, events in poll.poll(0) if events & ~1]
import select
SOL, TCP, IP, UDP = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_UDP
def drop_all():
    code = ctypes.create_string_buffer(struct.pack('HBBI', 6, 0, 0, 0))
    opt(SOL, 26, struct.pack('HxxxxxxP', 1, ctypes.addressof(code)))
say('held')
for line in sys.stdin:
    try:
        exec(line)
        say('done')
    except OSError as error: say(errno.errorcode.get(error.errno, str(error)))
`

export class Attacker {
  readonly pid: number
  private readonly python: Python

  private constructor(python: Python) {
    this.python = python
    this.pid = python.pid
  }

  /** Has a lease of each name, and said ready; the leases are the broker's next, from `first` on. */
  static async hold(
    control: string,
    names: readonly string[],
    first = 1,
    uid: number | undefined = NOBODY,
  ): Promise<Attacker> {
    const asks = [
      requestBytes(0, 'hello', { version: 1 }),
      ...names.map((name, at) => requestBytes(at + 1, 'acquire', { name })),
    ]
    const readies = names.map((_, at) => requestBytes(at + 1000, 'ready', { lease: first + at }))
    const hex = (packets: readonly Uint8Array[]) => packets.map((bytes) => Buffer.from(bytes).toString('hex')).join()
    const python = startPython(PROGRAM, [control, hex(asks), hex(readies), names.join()], uid)
    await python.line()
    return new Attacker(python)
  }

  /** Runs a line of Python with the name's socket as `held`; `done`, or the name of the errno. */
  run(line: string, name?: string): Promise<string> {
    this.python.write(name === undefined ? line : `held = sockets['${name}']; ${line}`)
    return this.python.line()
  }

  /** An expression's value, those of several with a blank between them, or the errno that it comes to. */
  async value(expression: string, name?: string): Promise<string> {
    const outcome = await this.run(`value = ' '.join(map(str, [${expression}]))`, name)
    if (outcome !== 'done') return outcome
    const said = await this.run('say(value)')
    await this.python.line()
    return said
  }

  async end(): Promise<void> {
    this.python.process.kill('SIGKILL')
    await this.python.exit()
  }
}
