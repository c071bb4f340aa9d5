"""Asks for a view again and again, and looks at nothing of the answers but where they end: what is measured beside it is the broker's doing.

    python3 asker.py SOCKET list|holders REST

It rests for REST milliseconds after each. A line when it begins, and one of JSON when its input ends: how long each answer took, in
milliseconds.
"""

import json
import os
import select
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../test/python"))
from fdbroker import REPLY_MAX, Connection

PARTS = b"\xa5parts"  # its value is a positive fixint

broker = Connection(sys.argv[1], timeout=60)
broker.hello()
print("begun", flush=True)
times = []
while not select.select([sys.stdin], [], [], 0)[0]:
    before = time.monotonic()
    broker.start(sys.argv[2])
    left = None
    while left != 0:
        packet = broker.sock.recv(REPLY_MAX)
        if not packet:
            raise SystemExit("the broker closed the connection")
        at = packet.find(PARTS)
        parts = 1 if at < 0 else packet[at + len(PARTS)]
        left = (parts if left is None else left) - 1
    times.append((time.monotonic() - before) * 1000)
    time.sleep(int(sys.argv[3]) / 1000)
print(json.dumps(times))
