"""As much of a broker as the tests of the client need: one shared and one exclusive name, in a thread.

`faults` makes it break single rules, so that the tests can show that check_broker.py sees it.
"""

import array
import os
import re
import socket
import threading
import time

from fdbroker import close_all, descriptors
from msgpack_lite import Malformed, pack, unpack

INVALID_KEYS = {"acquire": "name wait label takeover generation bind ready drainSignal", "hello": "version client"}
LEASE_VERBS = ("ready", "release", "sockets")


class Refusal(Exception):
    def __init__(self, code, message, **details):
        super().__init__(message)
        self.answer = {"ok": False, "code": code, "message": message, **details}


class FakeBroker:
    def __init__(self, path, faults=()):
        self.faults = set(faults)
        self.shared = [listener() for _ in range(2)]
        self.exclusive = [listener()]
        self.names = {"web": self.shared, "one": self.exclusive}
        self.leases = {}  # id -> {connection, name, state, label, since}
        self.next_lease = 1
        self.lock = threading.Lock()
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.bind(path)
        self.control.listen(16)
        self.threads = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.control.accept()
            except OSError:
                return
            threading.Thread(target=FakeConnection(self, sock).run, daemon=True).start()

    def close(self):
        self.control.shutdown(socket.SHUT_RDWR)
        self.control.close()
        for sock in self.shared + self.exclusive:
            sock.close()


class FakeConnection:
    def __init__(self, broker, sock):
        self.broker, self.sock = broker, sock
        self.greeted = False
        self.waiting = set()

    def run(self):
        with self.sock:
            try:
                while self.one():
                    pass
            except OSError:
                pass  # the client is gone
        with self.broker.lock:
            for lease in self.broker.leases.values():
                if lease["connection"] is self:
                    lease["state"] = "ended"

    def one(self):
        """Answers one packet; false when the connection is over."""
        data, control, flags, _ = self.sock.recvmsg(16384, 1032, socket.MSG_CMSG_CLOEXEC)
        fds = descriptors(control)
        close_all(fds)
        if not data:
            return False  # the client is gone
        try:
            if control or flags & socket.MSG_TRUNC:
                raise Malformed("descriptors, or too long")
            body = checked(data)
            if body["id"] in self.waiting or (not self.greeted and body.get("op") != "hello"):
                raise Malformed("an id in flight, or no hello")
        except (Malformed, RecursionError):
            return self.malformed(data)
        try:
            with self.broker.lock:
                answer, sent = self.answer(body)
        except Refusal as refusal:
            answer, sent = refusal.answer, []
        if answer is None:
            self.waiting.add(body["id"])
            return True
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", sent))] if sent else []
        self.sock.sendmsg([pack({"id": body["id"], "ok": True, **answer})], ancillary)
        return answer.get("code") != "VERSION"

    def malformed(self, data):
        found = re.search(rb"\xa2id([\x00-\x7f])", data)
        if found:
            self.sock.send(pack({"id": found[1][0], "ok": False, "code": "PROTOCOL", "message": "malformed"}))
        return "stays open" in self.broker.faults

    def answer(self, body):
        op = body.get("op")
        if not isinstance(op, str):
            raise Refusal("INVALID", "op must be a string")
        known = INVALID_KEYS.get(op, "lease" if op in LEASE_VERBS else "name" if op == "holders" else "").split()
        if op not in ("hello", "acquire", "list", "holders", "stats", *LEASE_VERBS):
            raise Refusal("UNSUPPORTED", "no such verb")
        for key in body.keys() - {"id", "op"}:
            if key not in known and "any key" not in self.broker.faults:
                raise Refusal("INVALID", f"unknown key {key}")
        return getattr(self, op)(body)

    def hello(self, body):
        if self.greeted:
            raise Refusal("INVALID", "hello was said")
        if body["version"] != 1:
            raise Refusal("VERSION", "version 1 only", supported=[1])
        self.greeted = True
        return {"version": 1, "broker": "fd-broker/0.0.0", "pid": os.getpid(), "features": []}, []

    def acquire(self, body):
        check_acquire(body)
        name = body["name"]
        if name not in self.broker.names:
            raise Refusal("DENIED", "not allowed, or no such name")
        held = any(lease["name"] == name and lease["state"] != "ended" for lease in self.broker.leases.values())
        if name == "one" and held:
            if body.get("wait", 0) == 0:
                raise Refusal("BUSY", "somebody has it")
            return None, []
        lease = self.broker.next_lease
        self.broker.next_lease += 1
        since = int(time.time() * 1000)
        self.broker.leases[lease] = {"connection": self, "name": name, "state": "granted", "since": since, "label": body.get("label", "")}
        grant = {"lease": lease, "name": name, "generation": "g1", "state": "granted", "readyWithin": 60000}
        return {**grant, "sockets": self.described(name)}, self.fds(name)

    def described(self, name):
        return [describe(sock) for sock in self.broker.names[name]]

    def fds(self, name):
        fds = [sock.fileno() for sock in self.broker.names[name]]
        return fds[::-1] if "wrong order" in self.broker.faults else fds

    def own(self, body):
        if type(body.get("lease")) is not int or not 0 < body["lease"] < 2**53:
            raise Refusal("INVALID", "lease must be an integer")
        lease = self.broker.leases.get(body["lease"])
        if lease is None or lease["connection"] is not self:
            raise Refusal("DENIED", f"lease {body['lease']} is not yours")
        return lease

    def ready(self, body):
        lease = self.own(body)
        if lease["state"] == "ended":
            raise Refusal("ENDED", "it was released")
        lease["state"] = "ready"
        return {"state": "ready", "promoted": True}, []

    def release(self, body):
        self.own(body)["state"] = "ended"
        return {}, []

    def sockets(self, body):
        name = self.own(body)["name"]
        return {"sockets": self.described(name)}, self.fds(name)

    def list(self, _):
        holders = {"granted": 1, "ready": 0, "draining": 0}
        one = {"mode": "shared", "state": "ok", "generation": "g1", "holders": holders, "waiting": 0}
        return {"sockets": [{"name": name, **one, "sockets": self.described(name)} for name in self.broker.names]}, []

    def holders(self, body):
        who = {"pid": os.getpid(), "uid": os.getuid(), "gid": os.getgid()}
        return {"holders": [
            {"lease": number, **who, **{key: lease[key] for key in ("name", "state", "since", "label")}}
            for number, lease in self.broker.leases.items()
            if lease["state"] != "ended" and lease["name"] == body.get("name", lease["name"])
        ]}, []  # fmt: skip

    def stats(self, _):
        return {"uptime": 1}, []


def listener():
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(8)
    return sock


def describe(sock):
    cookie = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, 57, 8), "little")
    return {"type": "tcp", "address": f"tcp://127.0.0.1:{sock.getsockname()[1]}", "backlog": 8, "cookie": f"{cookie:016x}"}


def checked(data):
    body = unpack(data)
    if not isinstance(body, dict) or type(body.get("id")) is not int or not 0 <= body["id"] < 2**32:
        raise Malformed("no id")
    check_depth(body, 1)
    return body


def check_depth(value, depth):
    if isinstance(value, str) and "\0" in value:
        raise Malformed("NUL")
    if isinstance(value, (dict, list)):
        if depth > 6:
            raise Malformed("too deep")
        for item in value.values() if isinstance(value, dict) else value:
            check_depth(item, depth + 1)


def check_acquire(body):
    rules = {
        "name": lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@/-]*", v) and ".." not in v,
        "wait": lambda v: type(v) is int and v >= -1,
        "takeover": lambda v: isinstance(v, bool),
        "bind": lambda v: v in ("connection", "process"),
        "label": lambda v: len(v) <= 128 and v.isprintable(),
        "drainSignal": lambda v: v == "TERM",
    }
    if "name" not in body:
        raise Refusal("INVALID", "name is missing")
    for key, good in rules.items():
        if key in body and not good(body[key]):
            raise Refusal("INVALID", f"{key} is wrong")
    if body.get("bind") == "process":
        raise Refusal("UNSUPPORTED", "no process-bound leases")
