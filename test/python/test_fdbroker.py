import array
import contextlib
import io
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import unittest

import check_broker
from fake_broker import FakeBroker
from fdbroker import BrokerError, Connection, close_all
from msgpack_lite import pack, unpack

HERE = os.path.dirname(os.path.abspath(__file__))


def open_fds():
    return len(os.listdir("/proc/self/fd"))


class Scripted(unittest.TestCase):
    """The client against answers that the test itself sends."""

    def setUp(self):
        self.before = open_fds()
        ours, self.peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.client = Connection(sock=ours, timeout=5)

    def tearDown(self):
        self.client.close()
        self.peer.close()
        self.assertEqual(open_fds(), self.before, "descriptors were left open")

    def send(self, message, fds=0):
        null = os.open("/dev/null", os.O_RDONLY)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * fds))] if fds else []
        self.peer.sendmsg([pack(message)], rights)
        os.close(null)

    def test_sends_the_request_as_documented(self):
        request_id = self.client.start("acquire", name="web")
        self.assertEqual(unpack(self.peer.recv(65536)), {"id": request_id, "op": "acquire", "name": "web"})

    def test_answers_may_come_in_any_order(self):
        first, second = self.client.start("list"), self.client.start("stats")
        self.send({"id": second, "ok": True, "uptime": 2})
        self.send({"id": first, "ok": True, "sockets": []})
        self.assertEqual(self.client.wait(first).message["sockets"], [])
        self.assertEqual(self.client.wait(second).message["uptime"], 2)

    def test_joins_parts_with_their_descriptors_and_events_between_them(self):
        request_id = self.client.start("sockets", lease=1)
        self.send({"id": request_id, "ok": True, "sockets": ["a", "b"], "part": 1, "parts": 2}, fds=2)
        self.send({"event": "drain", "lease": 1, "reason": "admin", "deadline": 5})
        self.send({"id": request_id, "ok": True, "sockets": ["c"], "part": 2, "parts": 2}, fds=1)
        packet = self.client.wait(request_id)
        self.assertEqual(packet.message, {"id": request_id, "ok": True, "sockets": ["a", "b", "c"]})
        self.assertEqual(len(packet.fds), 3)
        self.assertFalse(any(os.get_inheritable(fd) for fd in packet.fds))
        close_all(packet.fds)
        self.assertEqual(self.client.next_event().message["reason"], "admin")

    def test_takes_250_descriptors_in_one_packet(self):
        request_id = self.client.start("sockets", lease=1)
        self.send({"id": request_id, "ok": True, "sockets": list(range(250))}, fds=250)
        packet = self.client.wait(request_id)
        self.assertEqual((len(packet.fds), packet.truncated), (250, False))
        close_all(packet.fds)

    def test_a_full_descriptor_table_loses_descriptors_but_not_the_lease(self):
        grant = {"lease": 4, "name": "web", "sockets": ["a", "b", "c"]}
        self.send({"id": 1, "ok": True, **grant}, fds=3)
        self.send({"id": 2, "ok": True, "sockets": grant["sockets"]}, fds=3)
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        top = os.dup(0)
        os.close(top)
        client, real = self.client, self.client.receive

        def receive_in_a_full_table():
            resource.setrlimit(resource.RLIMIT_NOFILE, (top + 1, limits[1]))
            try:
                return real()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
                client.receive = real

        client.receive = receive_in_a_full_table
        lease = client.acquire("web")
        self.assertEqual((lease.id, len(lease.fds)), (4, 3))
        self.peer.recv(65536)
        self.assertEqual(unpack(self.peer.recv(65536)), {"id": 2, "op": "sockets", "lease": 4})
        close_all(lease.fds)

    def test_a_refusal_has_its_code_and_details(self):
        request_id = self.client.start("hello", version=2)
        self.send({"id": request_id, "ok": False, "code": "VERSION", "message": "no", "supported": [1]})
        with self.assertRaises(BrokerError) as caught:
            self.client.wait(request_id)
        self.assertEqual((caught.exception.code, caught.exception.details["supported"]), ("VERSION", [1]))

    def test_the_end_of_the_connection_is_CLOSED(self):
        request_id = self.client.start("list")
        self.peer.close()
        with self.assertRaises(BrokerError) as caught:
            self.client.wait(request_id)
        self.assertEqual(caught.exception.code, "CLOSED")


class Checked(unittest.TestCase):
    """check_broker.py against a broker that keeps the rules, and against ones that break one."""

    def check(self, *faults, patience=2.0):
        """patience, in seconds: how long an answer or an end that does not come is waited for."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "control.sock")
            broker = FakeBroker(path, faults)
            report = io.StringIO()
            with contextlib.redirect_stdout(report), contextlib.redirect_stderr(report):
                slow = Connection.__init__.__defaults__
                Connection.__init__.__defaults__ = (None, patience, None)
                try:
                    status = check_broker.main([path, "web", "--exclusive", "one"])
                finally:
                    Connection.__init__.__defaults__ = slow
            broker.close()
            return status, report.getvalue()

    def test_all_facts_hold_for_a_broker_that_keeps_the_rules(self):
        status, report = self.check()
        self.assertEqual(status, 0, report)

    def test_it_sees_a_broker_that_stays_open_after_a_malformed_packet(self):
        status, report = self.check("stays open", patience=0.5)
        self.assertEqual(status, 1)
        self.assertIn("FAILED  the first request must be hello: the connection stays open", report)

    def test_it_sees_descriptors_in_the_wrong_order(self):
        status, report = self.check("wrong order", patience=0.5)
        self.assertEqual(status, 1)
        self.assertIn("FAILED  acquire brings one descriptor for each socket: the descriptor's cookie", report)

    def test_it_sees_unknown_keys_ignored(self):
        status, report = self.check("any key", patience=0.5)
        self.assertEqual(status, 1)
        self.assertIn("FAILED  wrong arguments are invalid and named", report)


class CommandLine(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "control.sock")
        self.broker = FakeBroker(self.path)

    def tearDown(self):
        self.broker.close()
        self.folder.cleanup()

    def start(self, *arguments):
        command = [sys.executable, "-B", os.path.join(HERE, "fdbroker.py"), self.path, *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def test_acquire_prints_the_grant(self):
        with self.start("acquire", "web") as child:
            grant = json.loads(child.stdout.readline())
        self.assertEqual((grant["name"], grant["fds"], child.returncode), ("web", 2, 0))

    def test_a_refusal_is_printed_and_exits_1(self):
        with self.start("acquire", "nosuch") as child:
            answer = json.loads(child.stdout.readline())
        self.assertEqual((answer["code"], child.returncode), ("DENIED", 1))

    def test_serve_answers_connections_with_the_pid(self):
        with self.start("acquire", "web", "--serve") as child:
            grant = json.loads(child.stdout.readline())
            self.assertEqual(json.loads(child.stdout.readline())["state"], "ready")
            port = int(grant["sockets"][1]["address"].rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = b"".join(iter(lambda: client.recv(4096), b""))
            self.assertEqual(answer.rpartition(b"\r\n\r\n")[2], f"{child.pid}\n".encode())
            child.terminate()

    def test_without_a_broker_it_exits_111(self):
        self.path += ".absent"
        with self.start("list") as child:
            self.assertEqual(json.loads(child.stdout.readline())["code"], "CLOSED")
        self.assertEqual(child.returncode, 111)


if __name__ == "__main__":
    unittest.main()
