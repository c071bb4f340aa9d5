"""python3 standby_small.py CONTROL ROUNDS: milliseconds from kill -9 of the holder of `web` until this standby has its
descriptor, one JSON array. Holder and standby are small processes: what is left of the time is the broker's."""

import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../test/python"))
from fdbroker import Connection, close_all  # noqa: E402


def hold(control, told):
    """Never returns: holds the name until it is killed."""
    broker = Connection(control)
    broker.hello()
    lease = broker.acquire("web", wait=-1)
    broker.ready(lease.id)
    os.write(told, b".")
    while True:
        signal.pause()



def one(control, viewer):
    hears, told = os.pipe()
    holder = os.fork()
    if holder == 0:
        hold(control, told)
    os.read(hears, 1)
    os.close(hears)
    os.close(told)
    with Connection(control) as standby:
        standby.hello()
        standby.sock.settimeout(20)
        killed = []

        def kill(_signal, _frame):
            killed.append(time.monotonic_ns())
            os.kill(holder, signal.SIGKILL)

        signal.signal(signal.SIGALRM, kill)
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        lease = standby.acquire("web", wait=-1)
        granted = time.monotonic_ns()
        os.waitpid(holder, 0)
        close_all(lease.fds)
    return (granted - killed[0]) / 1e6


def main(control, rounds):
    with Connection(control) as viewer:
        viewer.hello()
        print(json.dumps([one(control, viewer) for _ in range(rounds)]))


main(sys.argv[1], int(sys.argv[2]))
