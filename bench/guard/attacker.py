"""python3 attacker.py ATTACKS EVERY_MS PATIENCE_MS, with the shared listener as descriptor 3: shuts it again and again, and prints after each
time how many microseconds went by until it listened again. Ends where it does not within the patience."""

import socket
import sys
import time

SO_ACCEPTCONN = 30
listener = socket.socket(fileno=3)
attacks, every, patience = int(sys.argv[1]), float(sys.argv[2]) / 1000, int(sys.argv[3]) * 1_000_000
print("ready", flush=True)
sys.stdin.readline()
for _ in range(attacks):
    time.sleep(every)
    began = time.perf_counter_ns()
    listener.shutdown(socket.SHUT_RDWR)
    while not listener.getsockopt(socket.SOL_SOCKET, SO_ACCEPTCONN):
        if time.perf_counter_ns() - began > patience:
            print("never", flush=True)
            sys.exit(1)
        time.sleep(0)  # or the two of us would take both processors of a small host from who repairs
    print((time.perf_counter_ns() - began) // 1000, flush=True)
