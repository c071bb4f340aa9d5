"""What every fact of check_broker.py is checked with: connections, refusals that must come, connections that must end."""

import os
import socket
import sys

from fdbroker import BrokerError, Connection, close_all

SO_COOKIE = 57


class Failed(AssertionError):
    pass


class Skipped(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Probe:
    def __init__(self, path, name, exclusive):
        self.path, self.name, self.exclusive = path, name, exclusive

    def connect(self):
        return Connection(self.path)

    def greeted(self):
        broker = self.connect()
        broker.hello(client="check_broker")
        return broker

    def refused(self, broker, codes, op, **arguments):
        try:
            answer = broker.request(op, **arguments)
        except BrokerError as error:
            expect(error.code in codes, f"{op} {arguments}: {error.code} instead of {' or '.join(codes)}")
            expect(str(error) != f"{error.code}: ", f"{op}: the refusal has no message")
            return error
        close_all(answer.fds)
        raise Failed(f"{op} {arguments}: granted instead of {' or '.join(codes)}")

    def closed(self, broker):
        try:
            packet = broker.receive()
        except BrokerError as error:
            expect(error.code == "CLOSED", f"{error} instead of the end of the connection")
            return
        except socket.timeout as error:
            raise Failed("the connection stays open") from error
        raise Failed(f"{packet.message} instead of the end of the connection")

    def malformed(self, data, answered=7, broker=None):
        """These bytes are answered with PROTOCOL, if an id can be read, and close the connection."""
        with broker or self.greeted() as connection:
            connection.send_raw(data)
            if answered is not None:
                message = connection.receive().message
                expect(message.get("id") == answered, f"the answer's id is {message.get('id')}, not {answered}")
                expect(message.get("ok") is False and message.get("code") == "PROTOCOL", f"{message} instead of PROTOCOL")
            self.closed(connection)

    def viewer(self, broker):
        try:
            broker.list()
            return True
        except BrokerError as error:
            expect(error.code == "DENIED", f"list: {error}")
            return False


def check_descriptor(fd, entry):
    expect(set(entry) >= {"type", "address", "backlog", "cookie"}, f"{entry}")
    expect(not os.get_inheritable(fd), "the descriptor is inheritable")
    with socket.socket(fileno=os.dup(fd)) as sock:
        cookie = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)
        expect(entry["cookie"] == f"{cookie:016x}", f"the descriptor's cookie is {cookie:016x}, not {entry['cookie']}")
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        expect(listens == (entry["type"] in ("tcp", "unix", "unix-seqpacket", "vsock")), f"{entry['type']} listens: {listens}")
        if entry["type"] in ("tcp", "udp"):
            expect(entry["address"].endswith(f":{sock.getsockname()[1]}"), f"{entry['address']} is not its port")
