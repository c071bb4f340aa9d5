"""Runs inside with-systemd: `drive.py ACTION TIMES` starts fd-broker.service and a worker that serves `web` outside of the unit, sends a
connection every few milliseconds without ever retrying, does something to the broker TIMES times, and prints what it saw as JSON."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

BROKER = "/usr/bin/fd-broker"
CONTROL = "/run/fd-broker/control.sock"
UNIT = "fd-broker.service"
os.environ["FD_BROKER_SOCKET"] = CONTROL


def show(name):
    return subprocess.check_output(["systemctl", "show", "-P", name, UNIT], text=True).strip()


def read(*words):
    """JSON of a reader, which waits while the broker is away."""
    deadline = time.monotonic() + 30
    while True:
        run = subprocess.run([BROKER, *words, "--json"], capture_output=True, text=True)
        if run.returncode == 0:
            return json.loads(run.stdout)
        if time.monotonic() > deadline:
            raise SystemExit(f"{words}: {run.stderr}")
        time.sleep(0.02)


def cookies():
    return {one["name"]: [socket["cookie"] for socket in one["sockets"]] for one in read("list")["sockets"]}


def leases():
    return [(one["lease"], one["name"], one["pid"], one["state"]) for one in read("holders")["holders"] if one["lease"]]


class Load(threading.Thread):
    """Every answer is the worker's; whatever else happens to a connection is a failure."""

    def __init__(self, address):
        super().__init__()
        self.address, self.answered, self.failed, self.over = address, 0, [], threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                with socket.create_connection(self.address, timeout=20) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    answer = b""
                    while more := connection.recv(4096):
                        answer += more
                if not answer.startswith(b"HTTP/1.1 200"):
                    raise OSError(f"answered {answer[:40]!r}")
                self.answered += 1
            except OSError as error:
                self.failed.append(str(error))
            time.sleep(0.002)

    def stop(self):
        self.over.set()
        self.join()


def main_pid():
    return int(show("MainPID"))


def broker_pid():
    """The keeper's child."""
    with open(f"/proc/{main_pid()}/task/{main_pid()}/children") as children:
        return int(children.read().split()[0])


def systemctl(*words):
    subprocess.run(["systemctl", *words, UNIT], check=True)


def kill_both():
    keeper, broker = main_pid(), broker_pid()
    os.kill(keeper, signal.SIGKILL)
    os.kill(broker, signal.SIGKILL)


def hang():
    """The watchdog of the unit ends it."""
    os.kill(broker_pid(), signal.SIGSTOP)
    before = main_pid()
    while main_pid() in (before, 0):
        time.sleep(0.1)


def upgrade_restart():
    """What the new broker has stored is what comes back."""
    subprocess.run([BROKER, "upgrade"], check=True, stdout=subprocess.DEVNULL)
    until_serving(None)
    systemctl("restart")


def restart_kill():
    """What came from the store is the keeper's too."""
    systemctl("restart")
    until_serving(None)
    os.kill(broker_pid(), signal.SIGKILL)


ACTIONS = {
    "restart": lambda: systemctl("restart"),
    "reload": lambda: systemctl("reload"),
    "stop-start": lambda: (systemctl("stop"), systemctl("start")),
    "kill-broker": lambda: os.kill(broker_pid(), signal.SIGKILL),
    "kill-both": kill_both,
    "hang": hang,
    "upgrade-restart": upgrade_restart,
    "restart-kill": restart_kill,
}


def until_serving(pid_before):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if show("ActiveState") == "active" and (pid_before is None or broker_pid() != pid_before):
                return read("stats")
        except (OSError, ValueError, IndexError):
            pass
        time.sleep(0.02)
    raise SystemExit(f"no broker: {show('ActiveState')}")


def main(action, times):
    subprocess.run(["systemctl", "start", UNIT], check=True)
    worker = subprocess.Popen(["/usr/bin/node", sys.argv[3]], stdout=subprocess.DEVNULL)
    while not any(state == "ready" for _, _, _, state in leases()):
        time.sleep(0.02)
    before = {"cookies": cookies(), "leases": leases()}
    stored = []
    load = Load(("127.0.0.1", 8080))
    load.start()
    time.sleep(0.3)
    for _ in range(times):
        pid = None if action == "reload" else broker_pid()
        ACTIONS[action]()
        until_serving(pid)
        time.sleep(0.5)
        stored.append(int(show("NFileDescriptorStore")))
    time.sleep(0.3)
    load.stop()
    after = {"cookies": cookies(), "leases": leases()}
    status = show("StatusText")
    worker.kill()
    worker.wait()
    print(json.dumps({
        "answered": load.answered,
        "failed": load.failed,
        "sameCookies": before["cookies"] == after["cookies"],
        "sameLeases": before["leases"] == after["leases"],
        "stored": stored,
        "status": status,
        "restarts": int(show("NRestarts")),
    }))


main(sys.argv[1], int(sys.argv[2]))
