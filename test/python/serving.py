"""What fdbroker.py does with a lease: serve connections, or hold it and show what happens to it."""

import json
import os
import select
import socket
import sys

from fdbroker import close_all


def serve(broker, lease):
    """Answers every connection with this process's pid until the lease is drained or ended."""
    listeners = [socket.socket(fileno=fd) for fd in lease.fds]
    lease.fds = []
    for listener in listeners:
        listener.setblocking(False)
    if lease.answer["state"] == "granted":
        print_json(broker.ready(lease.id))
    reason = next_reason(broker, lease, [])
    while reason is None:
        readable, _, _ = select.select([broker.sock, *listeners], [], [])
        if broker.sock in readable:
            broker.events.append(broker.receive())
            reason = next_reason(broker, lease, listeners)
        for listener in readable:
            if listener is not broker.sock and reason is None:
                answer_one(listener)
    for listener in listeners:
        listener.close()
    if reason["event"] == "drain":
        broker.release(lease.id)
    print_json(reason)


def next_reason(broker, lease, listeners):
    """The event that ends the service, when one came; a replacement is followed."""
    while broker.events:
        packet = broker.events.pop(0)
        message = packet.message
        if message["event"] in ("drain", "ended") and message["lease"] == lease.id:
            return message
        if message["event"] == "replaced" and message["lease"] == lease.id and listeners:
            for listener in listeners:
                listener.close()
            listeners[:] = [socket.socket(fileno=fd) for fd in packet.fds]
            for listener in listeners:
                listener.setblocking(False)
            continue
        close_all(packet.fds)
    return None


def answer_one(listener):
    try:
        client, _ = listener.accept()
    except (BlockingIOError, ConnectionAbortedError):
        return  # another holder was faster, or the client gave up
    with client:
        body = f"{os.getpid()}\n".encode()
        head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        try:
            client.settimeout(5)
            client.recv(65536)
            client.sendall(head + body)
        except OSError:
            return  # the client is gone


def hold(broker):
    broker.sock.settimeout(None)
    while True:
        while broker.events:
            packet = broker.events.pop(0)
            close_all(packet.fds)
            print_json(packet.message)
        readable, _, _ = select.select([broker.sock, sys.stdin], [], [])
        if sys.stdin in readable and not sys.stdin.readline():
            return
        if broker.sock in readable:
            broker.events.append(broker.receive())


def print_json(value):
    print(json.dumps(value), flush=True)
