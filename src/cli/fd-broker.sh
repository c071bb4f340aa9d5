#!/bin/sh
# Starts main.js beside this file in Node. Node changes some of what it was started with before any JavaScript runs, and
# `exec` gives it back to the program that it becomes; so it is written down here, in the form that src/sys/program.ts reads.
# `serve` is told under which path it was called: it is called again there, when the broker dies or is upgraded. It collects its garbage
# in the thread that everybody waits for: V8's helpers would take the processor from that thread, and it would wait for them in turn.

self=$0
while [ -h "$self" ]; do
  target=$(readlink "$self")
  case $target in
    /*) self=$target ;;
    *) self=${self%/*}/$target ;;
  esac
done

case " $* " in
  *' exec '*)
    ignored='' blocked='' closed=''
    while read -r key value; do
      case $key in
        SigBlk:) blocked=$value ;;
        SigIgn:) ignored=$value ;;
      esac
    done </proc/self/status
    for fd in 0 1 2; do
      [ -e "/proc/self/fd/$fd" ] || closed=$closed$fd
    done
    FD_BROKER_START="$(ulimit -S -n) $ignored $blocked $closed"
    export FD_BROKER_START
    ;;
esac

command -v node >/dev/null || {
  echo 'fd-broker: there is no node in PATH: install Node.js 20.19 or later' >&2
  exit 111
}

case " $* " in
  *' serve '*)
    FD_BROKER_SELF=$0
    export FD_BROKER_SELF
    exec node --single-threaded-gc "${self%/*}/main.js" "$@"
    ;;
esac
exec node "${self%/*}/main.js" "$@"
