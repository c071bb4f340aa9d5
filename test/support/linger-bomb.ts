// A peer (test/support/python.ts) that sends a descriptor which blocks whoever lets go of it.

/** Fills a TCP connection that nobody reads, sets SO_LINGER on it, and sends it along: letting go of it takes 3 seconds. */
export const BOMB = `
import socket, struct, array
def bomb():
  listener = socket.create_server(('127.0.0.1', 0))
  one = socket.create_connection(listener.getsockname())
  keep.append(listener.accept()[0]); keep.append(listener)
  one.setblocking(False)
  try:
    while True: one.send(b'x' * 65536)
  except BlockingIOError: pass
  one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 3))
  return one
keep = []
fd = bomb()
sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sender.sendmsg([b'STATUS=bomb'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd.fileno()]))], 0, sys.argv[1])
fd.close()
say('sent')
wait()
`
