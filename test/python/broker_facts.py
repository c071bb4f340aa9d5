"""The facts of docs/protocol.md that check_broker.py checks, one method each; its name is the fact."""

import os
import time

from broker_probe import Failed, Probe, Skipped, check_descriptor, expect
from fdbroker import BrokerError, close_all
from msgpack_lite import pack

OPTIONAL = ("reclaim", "events", "drain", "pause", "resume", "reload", "upgrade", "shutdown")
ARGUMENTS = {
    "reclaim": {"lease": 1, "name": "nosuch"},
    "drain": {"name": "nosuch"},
    "pause": {"name": "nosuch"},
    "resume": {"name": "nosuch"},
}  # fmt: skip


class Facts(Probe):
    def hello_answers_version_broker_pid_and_features(self):
        with self.connect() as broker:
            answer = broker.hello()
            expect(answer["version"] == 1, "version is not 1")
            expect(answer["broker"].startswith("fd-broker/"), f"broker is {answer['broker']!r}")
            expect(type(answer["pid"]) is int and os.path.exists(f"/proc/{answer['pid']}"), "pid is no process")
            expect(all(isinstance(one, str) for one in answer["features"]), "features are not strings")

    def hello_need_not_be_waited_for(self):
        with self.connect() as broker:
            first, second = broker.start("hello", version=1), broker.start("acquire", name=self.name)
            broker.wait(first)
            close_all(broker.wait(second).fds)

    def acquire_brings_one_descriptor_for_each_socket(self):
        with self.greeted() as broker:
            lease = broker.acquire(self.name, label="check")
            expect(lease.id > 0 and lease.answer["name"] == self.name, f"{lease.answer}")
            expect(lease.answer["state"] == "granted", f"state is {lease.answer['state']}")
            expect(isinstance(lease.answer["generation"], str), "generation is not a string")
            expect(type(lease.answer["readyWithin"]) is int, "readyWithin is not an integer")
            expect(len(lease.fds) == len(lease.sockets) > 0, "there is not one descriptor for each socket")
            for fd, entry in zip(lease.fds, lease.sockets):
                check_descriptor(fd, entry)
            again = broker.sockets(lease.id)
            expect(again.message["sockets"] == lease.sockets, "sockets describes others than acquire")
            for fd, entry in zip(again.fds, again.message["sockets"]):
                check_descriptor(fd, entry)
            close_all(again.fds)
            close_all(lease.fds)

    def ready_then_release_then_ended(self):
        with self.greeted() as broker:
            lease = broker.acquire(self.name)
            close_all(lease.fds)
            for _ in range(2):
                answer = broker.ready(lease.id)
                expect(answer["state"] == "ready" and isinstance(answer["promoted"], bool), f"ready: {answer}")
            broker.release(lease.id)
            broker.release(lease.id)
            self.refused(broker, ["ENDED"], "ready", lease=lease.id)

    def the_readers_show_the_lease_while_it_lives(self):
        with self.greeted() as broker:
            viewer = self.viewer(broker)
            if not viewer:
                self.refused(broker, ["DENIED"], "holders")
                self.refused(broker, ["DENIED"], "stats")
                raise Skipped("this user is no viewer: list, holders and stats are DENIED")
            with self.greeted() as worker:
                lease = worker.acquire(self.name, label="check")
                close_all(lease.fds)
                entry = next((one for one in broker.list() if one["name"] == self.name), None)
                expect(entry is not None, "list does not have the name")
                expect(entry["mode"] in ("shared", "exclusive") and len(entry["sockets"]) == len(lease.sockets), f"{entry}")
                expect(set(entry["holders"]) >= {"granted", "ready", "draining"}, f"{entry['holders']}")
                holder = next((one for one in broker.holders(self.name) if one["lease"] == lease.id), None)
                expect(holder is not None, "holders does not have the lease")
                expect(holder["pid"] == os.getpid() and holder["uid"] == os.getuid(), f"{holder}")
                expect(holder["label"] == "check" and holder["state"] == "granted", f"{holder}")
                expect(type(holder["since"]) is int and abs(holder["since"] - time.time() * 1000) < 60_000, "since is wrong")
                expect(type(broker.stats()["uptime"]) is int, "stats has no uptime")
            deadline = time.monotonic() + 3
            while any(one["lease"] == lease.id for one in broker.holders(self.name)):
                expect(time.monotonic() < deadline, "the lease outlives its connection")
                time.sleep(0.02)

    def an_unknown_name_is_refused(self):
        with self.greeted() as broker:
            self.refused(broker, ["DENIED", "NOT_FOUND"], "acquire", name="no-such-name.check")

    def another_lease_is_denied_whether_it_exists_or_not(self):
        with self.greeted() as one, self.greeted() as other:
            lease = one.acquire(self.name)
            close_all(lease.fds)
            for verb in ("ready", "release", "sockets"):
                expected = self.refused(other, ["DENIED"], verb, lease=2**40)
                refusal = self.refused(other, ["DENIED"], verb, lease=lease.id)
                same = str(refusal).replace(str(lease.id), "N") == str(expected).replace(str(2**40), "N")
                expect(same, f"{verb}: the two refusals differ")

    def unknown_verbs_are_unsupported(self):
        with self.greeted() as broker:
            for verb in ("frobnicate", "constructor", "__proto__", ""):
                self.refused(broker, ["UNSUPPORTED"], verb)

    def optional_verbs_are_unsupported_unless_listed(self):
        with self.connect() as broker:
            features = broker.hello()["features"]
            for verb in OPTIONAL:
                # Rights are looked at first: whom an admin's verb is denied need not know whether it is there.
                if verb not in features:
                    self.refused(broker, ["UNSUPPORTED", "DENIED"], verb, **ARGUMENTS.get(verb, {}))
            if "bind-process" not in features:
                self.refused(broker, ["UNSUPPORTED"], "acquire", name=self.name, bind="process")

    def wrong_arguments_are_invalid_and_named(self):
        wrong = [
            ("acquire", {"name": self.name, "colour": 1}, "colour"),
            ("acquire", {}, "name"),
            ("acquire", {"name": 5}, "name"),
            ("acquire", {"name": "a:b"}, "name"),
            ("acquire", {"name": "../a"}, "name"),
            ("acquire", {"name": self.name, "wait": 0.0}, "wait"),
            ("acquire", {"name": self.name, "wait": -2}, "wait"),
            ("acquire", {"name": self.name, "takeover": 1}, "takeover"),
            ("acquire", {"name": self.name, "bind": "none"}, "bind"),
            ("acquire", {"name": self.name, "label": "a\nb"}, "label"),
            ("acquire", {"name": self.name, "label": "x" * 129}, "label"),
            ("acquire", {"name": self.name, "drainSignal": "KILL"}, "drainSignal"),
            ("ready", {"lease": 1.0}, "lease"),
            ("ready", {"lease": 2**64 - 1}, "lease"),
            ("ready", {"lease": "1"}, "lease"),
            ("release", {}, "lease"),
            ("sockets", {"lease": None}, "lease"),
            ("hello", {"version": 1}, "hello"),
        ]
        with self.greeted() as broker:
            for op, arguments, key in wrong:
                error = self.refused(broker, ["INVALID"], op, **arguments)
                expect(key in str(error), f"{op} {arguments}: the message does not name {key}")
            broker.send_raw(pack({"id": 90}))
            expect(broker.receive().message.get("code") == "INVALID", "a missing op is not INVALID")
            close_all(broker.acquire(self.name).fds)

    def malformed_packets_are_answered_and_close(self):
        start = b"\x83\xa2op\xa4list\xa1x"
        end = b"\xa2id\x07"
        values = {
            "fixext": b"\xd4\x01\x00",
            "a timestamp": b"\xd6\xff\x00\x00\x00\x01",
            "ext 8": b"\xc7\x01\x05\x00",
            "a record": b"\xd4\x72\x40",
            "bin": b"\xc4\x01a",
            "0xc1": b"\xc1",
            "NUL": b"\xa1\x00",
            "overlong UTF-8": b"\xa2\xc0\xaf",
            "a surrogate": b"\xa3\xed\xa0\x80",
            "a key twice": b"\x82\xa1a\x01\xd9\x01a\x02",
            "a key that is a number": b"\x81\x01\x01",
            "nesting 7": b"\x91" * 6 + b"\xc0",
            "nesting 4000": b"\x91" * 4000 + b"\xc0",
        }
        for what, value in values.items():
            try:
                self.malformed(start + value + end)
            except Failed as error:
                raise Failed(f"{what}: {error}") from error
        self.malformed(pack({"id": 7, "op": "list"}) + b"\xc0")
        self.malformed(b"\x82\xa2id\x07\xa1x\xdd\xff\xff\xff\xff")
        self.malformed(b"\x84\xa2id\x07\xa2op\xa4list")

    def without_an_id_there_is_no_answer_but_the_end(self):
        for data in (b"\xc0", b"\x90", b"\xdf\xff\xff\xff\xff", b"", pack({"op": "list"}), pack({"id": -1, "op": "list"}),
                     pack({"id": 2**32, "op": "list"}), pack({"id": 1.0, "op": "list"}), pack({"id": "1", "op": "list"})):  # fmt: skip
            self.malformed(data, answered=None)

    def nesting_6_and_every_integer_width_pass(self):
        with self.greeted() as broker:
            broker.send_raw(b"\x83\xa2op\xa4list\xa1x" + b"\x91" * 5 + b"\xc0" + b"\xa2id\xcf" + (9).to_bytes(8, "big"))
            message = broker.receive().message
            expect(message["id"] == 9 and message["code"] == "INVALID", f"{message} instead of INVALID")

    def a_request_of_16384_bytes_passes_and_a_longer_one_closes(self):
        def request(size):
            data = pack({"id": 7, "op": "list", "x": "y" * (size - 18)})
            expect(len(data) == size, "the packet has the wrong size")
            return data

        with self.greeted() as broker:
            broker.send_raw(request(16384))
            expect(broker.receive().message.get("code") == "INVALID", "16,384 bytes do not pass")
        self.malformed(request(16385))
        self.malformed(request(60000))

    def the_first_request_must_be_hello(self):
        self.malformed(pack({"id": 7, "op": "list"}), broker=self.connect())
        self.malformed(pack({"id": 7}), broker=self.connect())

    def another_version_is_told_which_are_spoken(self):
        for version in (0, 2, 2**32 - 1):
            with self.connect() as broker:
                error = self.refused(broker, ["VERSION"], "hello", version=version)
                expect(error.details.get("supported") == [1], f"supported is {error.details.get('supported')}")
                self.closed(broker)

    def descriptors_are_not_taken(self):
        with self.greeted() as broker:
            with open("/dev/null", "rb") as file:
                try:
                    broker.send_raw(pack({"id": 7, "op": "list"}), [file.fileno()])
                except PermissionError:
                    return
                message = broker.receive().message
            expect(message.get("code") == "PROTOCOL", f"{message} instead of PROTOCOL")
            self.closed(broker)

    def an_id_in_flight_must_not_be_used_again(self):
        if self.exclusive is None:
            raise Skipped("needs --exclusive: a request that waits")
        with self.greeted() as holder, self.greeted() as broker:
            lease = holder.acquire(self.exclusive)
            close_all(lease.fds)
            refused = self.refused(broker, ["BUSY"], "acquire", name=self.exclusive)
            expect(refused.code == "BUSY", "an exclusive name has two holders")
            waiting = pack({"id": 7, "op": "acquire", "name": self.exclusive, "wait": 60_000})
            broker.send_raw(waiting)
            self.malformed(waiting, broker=broker)

    def many_requests_may_be_in_flight(self):
        with self.greeted() as broker:
            ids = [broker.start("acquire", name=self.name, colour=1) for _ in range(200)]
            for request_id in reversed(ids):
                try:
                    broker.wait(request_id)
                except BrokerError as error:
                    expect(error.code == "INVALID", f"{error}")
