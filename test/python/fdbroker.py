#!/usr/bin/env python3
"""A client of fd-broker in the Python standard library, written from docs/protocol.md alone.

    python3 fdbroker.py SOCKET acquire web [--serve | --hold]
    python3 fdbroker.py SOCKET list | holders [NAME] | stats

prints the answer as JSON. As a module:

    with Connection(path) as broker:
        broker.hello()
        lease = broker.acquire("web")
        listener = socket.socket(fileno=lease.fds.pop(0))
        broker.ready(lease.id)
"""

import argparse
import array
import json
import os
import socket
import sys
from dataclasses import dataclass, field

from msgpack_lite import pack, unpack

REPLY_MAX = 65536
CONTROL_MAX = socket.CMSG_SPACE(253 * array.array("i").itemsize)
EXITS = {"PROTOCOL": 111, "VERSION": 111, "CLOSED": 111, "SYSTEM": 111, "INVALID": 100}


class BrokerError(Exception):
    """A refusal. `code` is a row of the error table; `details` has the answer's other keys."""

    def __init__(self, code, message, details=None):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.details = details or {}


@dataclass
class Packet:
    """One packet from the broker. Whoever takes it owns its descriptors."""

    message: dict
    fds: list
    truncated: bool


@dataclass
class Lease:
    id: int
    answer: dict
    fds: list = field(default_factory=list)

    @property
    def sockets(self):
        return self.answer["sockets"]


class Connection:
    def __init__(self, path=None, timeout=10.0, sock=None):
        self.sock = sock or socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        self.events = []  # packets that are events, oldest first
        self._answers = {}  # id -> packets of its answer so far
        self._next_id = 1
        if sock is None:
            self.sock.connect(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for packet in self.events:
            close_all(packet.fds)
        for packets in self._answers.values():
            for packet in packets:
                close_all(packet.fds)
        self.events, self._answers = [], {}
        self.sock.close()

    # Packets

    def send_raw(self, data, fds=()):
        """Sends any bytes as one packet: also malformed ones."""
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            self.sock.sendmsg([data], control, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise BrokerError("CLOSED", "the broker closed the connection") from error

    def receive(self):
        """The next packet, whatever it is; raises CLOSED at the end of the connection."""
        try:
            data, control, flags, _ = self.sock.recvmsg(REPLY_MAX, CONTROL_MAX, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError as error:
            raise BrokerError("CLOSED", "the broker closed the connection") from error
        fds = descriptors(control)
        try:
            if not data:
                raise BrokerError("CLOSED", "the broker closed the connection")
            if flags & socket.MSG_TRUNC:
                raise BrokerError("PROTOCOL", "the broker sent a packet that is too long")
            message = unpack(data)
            if not isinstance(message, dict):
                raise BrokerError("PROTOCOL", "the broker sent a packet that is not a map")
            return Packet(message, fds, bool(flags & socket.MSG_CTRUNC))
        except Exception:
            close_all(fds)
            raise

    # Requests

    def start(self, op, **arguments):
        """Sends a request without waiting; returns its id."""
        request_id = self._next_id
        self._next_id += 1
        self.send_raw(pack({"id": request_id, "op": op, **arguments}))
        return request_id

    def wait(self, request_id):
        """The answer to a request, its parts joined; raises BrokerError when it is a refusal."""
        while not self._complete(request_id):
            self._sort(self.receive())
        parts = self._answers.pop(request_id)
        return join(parts)

    def request(self, op, **arguments):
        return self.wait(self.start(op, **arguments))

    def next_event(self):
        while not self.events:
            self._sort(self.receive())
        return self.events.pop(0)

    def _sort(self, packet):
        if "event" in packet.message:
            self.events.append(packet)
        else:
            self._answers.setdefault(packet.message.get("id"), []).append(packet)

    def _complete(self, request_id):
        parts = self._answers.get(request_id, [])
        return bool(parts) and len(parts) >= parts[0].message.get("parts", 1)

    # Verbs

    def hello(self, version=1, **arguments):
        return self.request("hello", version=version, **arguments).message

    def acquire(self, name, **arguments):
        packet = self.request("acquire", name=name, **arguments)
        lease = Lease(packet.message["lease"], packet.message, packet.fds)
        if packet.truncated or len(lease.fds) != len(lease.sockets):
            close_all(lease.fds)
            again = self.sockets(lease.id)
            lease.answer["sockets"], lease.fds = again.message["sockets"], again.fds
        return lease

    def ready(self, lease):
        return self.request("ready", lease=lease).message

    def release(self, lease):
        return self.request("release", lease=lease).message

    def sockets(self, lease):
        """The lease's sockets again, as a Packet; raises SYSTEM when the descriptor table is still full."""
        packet = self.request("sockets", lease=lease)
        if packet.truncated or len(packet.fds) != len(packet.message["sockets"]):
            close_all(packet.fds)
            raise BrokerError("SYSTEM", "descriptors were lost: close some, or raise the limit of open files")
        return packet

    def list(self):
        return self.request("list").message["sockets"]

    def holders(self, name=None):
        arguments = {} if name is None else {"name": name}
        return self.request("holders", **arguments).message["holders"]

    def stats(self):
        return self.request("stats").message


def descriptors(control):
    """Every descriptor of all control messages; a last one that is cut off does not count."""
    fds = array.array("i")
    for level, kind, data in control:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)


def close_all(fds):
    while fds:
        os.close(fds.pop())


def join(parts):
    first = parts[0]
    if first.message.get("ok") is not True:
        rest = dict(first.message)
        code, text = rest.pop("code", "PROTOCOL"), rest.pop("message", "a refusal without a message")
        for packet in parts:
            close_all(packet.fds)
        raise BrokerError(code, text, rest)
    message = {key: value for key, value in first.message.items() if key not in ("part", "parts")}
    fds, truncated = list(first.fds), first.truncated
    for packet in parts[1:]:
        fds += packet.fds
        truncated = truncated or packet.truncated
        for key, value in packet.message.items():
            if isinstance(value, list):
                message[key] = message[key] + value
    return Packet(message, fds, truncated)


# Command line


def arguments_of(argv):
    parser = argparse.ArgumentParser(prog="fdbroker.py", description=__doc__.splitlines()[0])
    parser.add_argument("socket", help="path of the control socket")
    verbs = parser.add_subparsers(dest="op", required=True)
    acquire = verbs.add_parser("acquire")
    acquire.add_argument("name")
    acquire.add_argument("--generation")
    acquire.add_argument("--takeover", action="store_true", default=None)
    acquire.add_argument("--wait", type=int, help="milliseconds; -1: for ever")
    acquire.add_argument("--ready", action="store_true", default=None)
    acquire.add_argument("--label")
    mode = acquire.add_mutually_exclusive_group()
    mode.add_argument("--serve", action="store_true", help="say ready and answer every connection with the pid")
    mode.add_argument("--hold", action="store_true", help="keep the lease until an event comes or stdin ends")
    holders = verbs.add_parser("holders")
    holders.add_argument("name", nargs="?")
    verbs.add_parser("list")
    verbs.add_parser("stats")
    return parser.parse_args(argv)


def run(options):
    from serving import hold, print_json, serve  # it imports this module

    with Connection(options.socket) as broker:
        broker.hello(client="fdbroker.py")
        if options.op == "list":
            return print_json({"sockets": broker.list()})
        if options.op == "holders":
            return print_json({"holders": broker.holders(options.name)})
        if options.op == "stats":
            return print_json(broker.stats())
        keys = ("generation", "takeover", "wait", "ready", "label")
        wanted = {key: getattr(options, key) for key in keys if getattr(options, key) is not None}
        if wanted.get("wait", 0) != 0:
            broker.sock.settimeout(None)
        lease = broker.acquire(options.name, **wanted)
        print_json({**lease.answer, "fds": len(lease.fds)})
        if options.serve:
            return serve(broker, lease)
        if options.hold:
            hold(broker)
        close_all(lease.fds)


def main(argv):
    from serving import print_json

    try:
        run(arguments_of(argv))
        return 0
    except BrokerError as error:
        print_json({"ok": False, "code": error.code, "message": str(error)})
        return EXITS.get(error.code, 1)
    except OSError as error:
        print_json({"ok": False, "code": "CLOSED", "message": str(error)})
        return 111


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
