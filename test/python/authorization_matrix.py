"""Every identity against every name and verb of a live broker, and what docs/configuration.md says the answer is.

    authorization_matrix.py CONTROL_SOCKET   (as root; the policy, as JSON, on standard input)

The oracle below was written from the documentation alone. Prints one JSON object: the cells tried, and those that were wrong.
"""

import itertools
import json
import os
import sys

from fdbroker import BrokerError, Connection, close_all

EXE = os.path.realpath("/proc/self/exe")


def holds(condition, peer):
    kind, _, value = condition.partition(":")
    if kind == "any":
        return True
    if kind == "user":
        return peer["uid"] == int(value)
    if kind == "group":
        return int(value) in [peer["gid"], *peer["groups"]]
    if kind == "exe":
        return value == EXE
    if kind == "token":
        return value == peer["token"]
    raise ValueError(condition)


def allowed(rules, peer):
    return any(all(holds(condition, peer) for condition in rule.split()) for rule in rules)


def expected(policy, peer, verb, name):
    admin = allowed(policy["admins"], peer)
    viewer = admin or allowed(policy["viewers"], peer)
    if verb in ("list", "holders", "stats", "events"):
        return "ok" if viewer else "DENIED"
    if verb in ("pause", "resume", "drain"):
        if not admin:
            return "DENIED"
        return "ok" if name in policy["names"] else "NOT_FOUND"
    if name in policy["names"]:
        return "ok" if allowed(policy["names"][name], peer) else "DENIED"
    return "NOT_FOUND" if viewer else "DENIED"


def answer(broker, verb, name):
    arguments = {} if name is None else {"name": name}
    try:
        packet = broker.request(verb, **arguments)
    except BrokerError as error:
        return error.code
    close_all(packet.fds)
    if verb == "acquire":
        broker.release(packet.message["lease"])
    return "ok"


def cells(policy):
    names = [*policy["names"], "missing"]
    for verb in ("list", "holders", "stats", "events"):
        yield verb, None
    for name in names:
        for verb in ("acquire", "pause", "resume", "drain"):
            yield verb, name


def try_identity(policy, peer, output):
    os.setgroups(peer["groups"])
    os.setresgid(*[peer["gid"]] * 3)
    os.setresuid(*[peer["uid"]] * 3)
    broker = Connection(sys.argv[1], timeout=30)
    secret = policy["secrets"].get(peer["token"])
    broker.hello(**({} if secret is None else {"token": secret}))
    for verb, name in cells(policy):
        got, due = answer(broker, verb, name), expected(policy, peer, verb, name)
        output.write(json.dumps([got, due, verb, name, peer]) + "\n")
    broker.close()


def main():
    policy = json.load(sys.stdin)
    tried, wrong, refused = 0, [], 0
    for uid, gid, groups, token in itertools.product(*(policy["identities"][key] for key in ("uids", "gids", "groups", "tokens"))):
        peer = {"uid": uid, "gid": gid, "groups": groups, "token": token}
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(reader)
            with os.fdopen(writer, "w") as output:
                try_identity(policy, peer, output)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as lines:
            for got, due, *cell in map(json.loads, lines):
                tried += 1
                refused += due != "ok"
                if got != due:
                    wrong.append([got, due, *cell])
        os.wait()
    print(json.dumps({"tried": tried, "refused": refused, "wrong": wrong[:20], "wrongs": len(wrong)}))


main()
