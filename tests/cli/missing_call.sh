#!/bin/bash
# missing_call.sh STARRYRUN: a call that does not exist gives ENOSYS and one warning: its name, its
# arguments and the guest's call stack, the same frames as `strace -k` shows natively. -q silences it.
set -u
starryrun=$1
program=$(dirname "$starryrun")/cli/missing_call
dir=$(mktemp -d "${TMPDIR:-/tmp}/starry-cli.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
export XDG_STATE_HOME=$dir XDG_RUNTIME_DIR=$dir
failed=0
fail() {
  echo "FAILED: $*"
  failed=1
}

timeout -k 2 30 "$starryrun" "$program" lost 2>"$dir/err" </dev/null
[ $? = 5 ] || fail "exit status is not the program's"
cat "$dir/err"

warnings=$(grep -c 'is not implemented (ENOSYS)$' "$dir/err")
[ "$warnings" = 3 ] || fail "$warnings warnings instead of 3"
grep -Eq '^starryrun: missing_call\[[0-9]+\]: lookup_dcookie\(7, 0x[0-9a-f]+, 16\) is not' "$dir/err" ||
  fail "no line with name and arguments"
# Frames of the n-th warning.
frames() { awk -v n="$1" '/is not implemented/ { ++seen } seen == n && sub(/^starryrun: / , "") && / > /' "$2"; }
frames 1 "$dir/err" >"$dir/plain"
frames 2 "$dir/err" >"$dir/signal"
frames 3 "$dir/err" >"$dir/lost"
for f in inner_function outer_function main _start; do
  grep -q "/missing_call($f+0x" "$dir/plain" || fail "no frame of $f"
done
grep -q "/missing_call(on_signal+0x" "$dir/signal" || fail "no frame of the signal handler"
grep -q "/missing_call(main+0x" "$dir/signal" || fail "no frame below the signal handler"
head -1 "$dir/lost" | grep -q '^ > \[anonymous\]() ' || fail "code outside of files is not named as such"
[ "$(wc -l <"$dir/lost")" -le 64 ] || fail "the stack has more than 64 frames"

if strace -k -o "$dir/probe" true 2>/dev/null && grep -q '^ > ' "$dir/probe"; then
  strace -k -o "$dir/native" -e trace=lookup_dcookie,tuxcall -e signal=none "$program"
  # The first and the last call of the program.
  awk '/^ > / { if (n == 1) print; next } { ++n }' "$dir/native" | diff -u - "$dir/plain" || fail "other frames than native"
  awk '/^ > / { if (n == 3) print; next } { ++n }' "$dir/native" | diff -u - "$dir/signal" ||
    fail "other frames than native in a signal handler"
else
  echo "strace -k does not work here: frames are not compared with native"
fi

timeout -k 2 30 "$starryrun" -q "$program" 2>"$dir/err" </dev/null
[ -s "$dir/err" ] && fail "-q is not quiet: $(cat "$dir/err")"
exit $failed
