"""A blocking server on the socket that it finds at descriptor 3, or with `stdin` as its argument at descriptor 0."""

import os
import select
import signal
import socket
import sys

RELEASE = os.environ["RELEASE"]
draining = False


def drain(_signal, _frame):
    global draining
    draining = True


# Python goes on with accept() after a signal's handler, so a drained server answers one client more, and then goes: it never
# leaves one that it has accepted. Without a handler SIGTERM ends it at any point, also in the middle of an answer.
signal.signal(signal.SIGTERM, drain)

listener = socket.socket(fileno=0 if sys.argv[1:] == ["stdin"] else 3)
while not draining:
    try:
        client, _ = listener.accept()
    except BlockingIOError:
        # Another program has made the socket that they share non-blocking.
        select.select([listener], [], [])
        continue
    with client:
        client.settimeout(10)
        try:
            client.recv(65536)
            client.sendall(f"HTTP/1.0 200 OK\r\n\r\n{RELEASE} from pid {os.getpid()}\n".encode())
        except OSError:
            pass
