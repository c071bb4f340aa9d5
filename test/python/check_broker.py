#!/usr/bin/env python3
"""Checks a live broker against docs/protocol.md:  python3 check_broker.py SOCKET NAME [--exclusive NAME]

NAME is a name that this user may acquire; the name given with --exclusive is one of mode exclusive that nobody holds.
Prints a line for each fact and exits with 1 when one of them does not hold.
"""

import argparse
import os
import sys
import time
import traceback

from broker_facts import Facts
from broker_probe import Failed, Skipped
from fdbroker import BrokerError


def main(argv):
    parser = argparse.ArgumentParser(prog="check_broker.py", description=__doc__.splitlines()[0])
    parser.add_argument("socket")
    parser.add_argument("name")
    parser.add_argument("--exclusive", metavar="NAME")
    options = parser.parse_args(argv)
    check = Facts(options.socket, options.name, options.exclusive)
    before = len(os.listdir("/proc/self/fd"))
    failed = 0
    for fact in [name for name in vars(Facts) if not name.startswith("_")]:
        words = fact.replace("_", " ")
        try:
            getattr(check, fact)()
            print(f"ok      {words}", flush=True)
        except Skipped as reason:
            print(f"skipped {words}: {reason}", flush=True)
        except Exception as error:
            failed += 1
            print(f"FAILED  {words}: {error or type(error).__name__}", flush=True)
            if not isinstance(error, (Failed, BrokerError)):
                traceback.print_exc()
    after = len(os.listdir("/proc/self/fd"))
    # A broker in a thread of this process, as in the tests, closes its end of a connection a moment later.
    for _ in range(100):
        if after == before:
            break
        time.sleep(0.02)
        after = len(os.listdir("/proc/self/fd"))
    if failed == 0 and after != before:
        failed += 1
        print(f"FAILED  the client itself left {after - before} descriptors open")
    print(f"{failed} failed" if failed else "all hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
