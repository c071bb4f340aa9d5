"""Fills the process table: WORKERS processes with LEASES leases each, and IDLE processes beside them; until its input ends.

    python3 crowd.py SOCKET WORKERS LEASES IDLE
"""

import os
import resource
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../test/python"))
from fdbroker import Connection

path, workers, leases, idle = sys.argv[1], *map(int, sys.argv[2:])
names = [f"n{i}" for i in range(1000)]
children = []


def child(work):
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(ready)
        keep = work()
        os.write(done, b".")
        signal.pause()
        os._exit(len(keep))
    children.append(pid)
    os.close(done)
    os.read(ready, 1)
    os.close(ready)


def work(number):
    broker = Connection(path, timeout=60)
    broker.hello()
    kept = [broker.acquire(names[(number * leases + at) % len(names)], ready=True) for at in range(leases)]
    return [broker, *kept]


resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
try:
    for number in range(workers):
        child(lambda: work(number))
    for _ in range(idle):
        child(list)
    print("ready", flush=True)
    sys.stdin.read()
finally:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
