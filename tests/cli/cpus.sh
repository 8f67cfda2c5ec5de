#!/bin/sh
# cpus.sh STARRYRUN: with --cpus 20 the guest has 20 CPUs wherever it looks, and can use each.
set -u
dir=$(mktemp -d "${TMPDIR:-/tmp}/starry-cli.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
export XDG_STATE_HOME="$dir" XDG_RUNTIME_DIR="$dir" LC_ALL=C
timeout -k 2 60 "$1" -q --cpus 20 "$(dirname "$1")/cli/cpus" >"$dir/out" </dev/null
status=$?
tr '\t' ' ' <"$dir/out" | diff - /dev/fd/3 3<<'END' || status=1
sysconf: 20 20
mask: 32 bytes, 20 CPUs
cpuinfo: 20
stat: 20
/sys/devices/system/cpu/online: 0-19
/sys/devices/system/cpu/possible: 0-19
/sys/devices/system/cpu/present: 0-19
cpu19: 0, cpu20: -1
20
Cpus_allowed_list: 0-19
bound: 20, by rseq: 20
2
Cpus_allowed_list: 7,18
END
exit $status
