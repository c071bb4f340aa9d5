"""Starts a program with what a parent may hand down, under sh and under fd-broker exec, and prints what it found, as JSON.

program_start.py KIND FD_BROKER [ARG...]: KIND is a function below. ARG... stands before the program's own command.
"""

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import tempfile

# Reads by programs that change nothing themselves: dispositions, mask, limits, descriptors and their flags, modes, environment.
PROBE = r"""
exec 9>"$REPORT"
grep -E '^(Sig(Blk|Ign|Cgt|Pnd)|Umask|NoNewPrivs|Cap|Cpus_allowed_list)' /proc/self/status >&9
cat /proc/self/limits >&9
"$PYTHON" -c "$DESCRIPTORS" $$ >&9
for n in 0 1 2; do stty -a <&$n >&9 2>/dev/null; done
pwd >&9
ps -o pgid=,sid=,ni=,tty= -p $$ | sed "s/\\b$$\\b/SELF/g" >&9
tr '\0' '\n' </proc/$$/environ >&9
true
"""

# The descriptors of its parent, which waits for it.
DESCRIPTORS = """
import os, sys
for fd in sorted(map(int, os.listdir(f"/proc/{sys.argv[1]}/fd"))):
    flags = [line for line in open(f"/proc/{sys.argv[1]}/fdinfo/{fd}") if line.startswith("flags")]
    if fd != 9: print("fd", fd, os.readlink(f"/proc/{sys.argv[1]}/fd/{fd}"), *flags, end="")
"""


def pipes(command):
    return subprocess.run(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE).returncode


# One for both programs: its name, which is told, has the inode in it.
OUTPUT = tempfile.TemporaryFile()


def files(command):
    with open("/etc/passwd") as one:
        return subprocess.run(command, stdin=one, stdout=OUTPUT, stderr=OUTPUT).returncode


def terminal(command):
    return os.waitstatus_to_exitcode(pty.spawn(command, lambda fd: os.read(fd, 1024), lambda fd: b""))


def closed_stdin(command):
    return subprocess.run(command, preexec_fn=lambda: os.close(0)).returncode


def closed_stdio(command):
    def close():
        for fd in (0, 1, 2):
            os.close(fd)

    return subprocess.run(command, preexec_fn=close).returncode


def ignored_signals(command):
    def ignore():
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGINT, signal.SIGUSR2, signal.SIGRTMIN + 3):
            signal.signal(number, signal.SIG_IGN)

    return subprocess.run(command, preexec_fn=ignore, restore_signals=False).returncode


def blocked_signals(command):
    mask = {signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD, signal.SIGRTMAX}
    return subprocess.run(command, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask)).returncode


def small_limit(command):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    return subprocess.run(
        command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (217, limits[1]))
    ).returncode


def nonblocking_pipe(command):
    read, write = os.pipe2(os.O_NONBLOCK)
    return subprocess.run(command, stdin=read, stdout=write).returncode


def umask_and_bytes(command):
    os.umask(0o027)
    environment = {**os.environb, b"BYTES": b"\xff\xfe", b"EMPTY": b"", b"BROKEN": b"a\nb"}
    return subprocess.run(command, env=environment).returncode


def run(kind, command):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "report")
        os.environ.update(REPORT=path, PYTHON=sys.executable, DESCRIPTORS=DESCRIPTORS)
        status = globals()[kind](command)
        with open(path, errors="surrogateescape") as report:
            text = re.sub(r":\[\d+\]|/pts/\d+|pts/\d+", "", report.read().replace(directory, ""))
            return {"status": status, "lines": text.splitlines()}


def main():
    kind, prefix = sys.argv[1], sys.argv[2:]
    result = os.dup(1)
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(devnull, 1)
    program = ["sh", "-c", PROBE]
    found = {"sh": run(kind, ["sh", "-c", 'exec "$0" "$@"', *program]), "exec": run(kind, [*prefix, *program])}
    os.write(result, json.dumps(found).encode())


main()
