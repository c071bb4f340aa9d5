"""A strict reader of the Prometheus text format 0.0.4, from its description alone. Prints what it read as JSON, or what is wrong.

    python3 check_metrics.py < metrics.txt
"""

import json
import re
import sys

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
UNITS = ("_seconds", "_bytes", "_total", "_info", "_connections", "_fds", "_names", "_holders", "_waiting", "_milliseconds")


def fail(number, why, line):
    sys.exit(f"line {number}: {why}: {line!r}")


def read_labels(text, number, line):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at) or fail(number, "no label", line)
        if found[1] in labels:
            fail(number, "a label twice", line)
        labels[found[1]] = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], found[2])
        at = found.end()
        if at < len(text) and text[at] != ",":
            fail(number, "no comma between labels", line)
        at += 1
    return labels


def family_of(name, types):
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if types.get(base) == "histogram" else name


def check_histograms(samples, types):
    for family in (name for name, kind in types.items() if kind == "histogram"):
        series = {}
        for name, labels, value in samples:
            if family_of(name, types) == family:
                rest = tuple(sorted((k, v) for k, v in labels.items() if k != "le"))
                series.setdefault(rest, {}).setdefault(name[len(family):], []).append((labels.get("le"), value))
        for key, parts in series.items():
            bounds = [float(le) for le, _ in parts["_bucket"]]
            counts = [value for _, value in parts["_bucket"]]
            if bounds != sorted(bounds) or bounds[-1] != float("inf"):
                sys.exit(f"{family} {key}: buckets out of order, or no +Inf")
            if counts != sorted(counts) or counts[-1] != parts["_count"][0][1]:
                sys.exit(f"{family} {key}: buckets are not cumulative, or differ from _count")


def main():
    text = sys.stdin.read()
    if not text.endswith("\n"):
        sys.exit("the last line does not end")
    helps, types, samples, seen, current = {}, {}, [], set(), None
    for number, line in enumerate(text.split("\n")[:-1], 1):
        head = re.fullmatch(r"# (HELP|TYPE) (\S+) (.+)", line)
        if head:
            kind, name, rest = head.groups()
            table = helps if kind == "HELP" else types
            if name in table:
                fail(number, f"a second {kind}", line)
            if kind == "TYPE" and (rest not in ("gauge", "counter", "histogram") or name not in helps):
                fail(number, "no such type, or TYPE before HELP", line)
            if kind == "TYPE" and (rest == "counter") != name.endswith("_total"):
                fail(number, "_total is for counters, and counters are _total", line)
            if not name.endswith(UNITS):
                fail(number, "no base unit", line)
            table[name] = rest
            current = name
            continue
        sample = re.fullmatch(r"(%s)(?:\{(.*)\})? (\S+)" % NAME.pattern, line) or fail(number, "no sample", line)
        name, labels, value = sample[1], read_labels(sample[2] or "", number, line), float(sample[3])
        if family_of(name, types) != current:
            fail(number, "not within its family, or without TYPE", line)
        if types[current] == "counter" and not value >= 0:
            fail(number, "a counter below 0", line)
        key = (name, tuple(sorted(labels.items())))
        if key in seen:
            fail(number, "a series twice", line)
        seen.add(key)
        samples.append((name, labels, value))
    check_histograms(samples, types)
    print(json.dumps({"types": types, "samples": samples}, default=str))


main()
