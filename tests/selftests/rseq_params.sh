#!/bin/sh
# rseq_params.sh REPS THREADS: every test of param_test, plain and with each of its delays inside and around
# critical sections: loops, yields, signals, sleeps. Prints TAP.
n=0 failed=0
try() {
  n=$((n + 1))
  if ./param_test "$@" >out 2>&1; then
    echo "ok $n - param_test $*"
  else
    echo "not ok $n - param_test $*"
    sed 's/^/# /' out
    failed=1
  fi
}
for test in "s" "l" "b" "b -M" "m" "m -M" "i" "r"; do
  common="-T $test -r $1 -t $2"
  try $common
  for where in 1 2 3 4 5 6; do try $common -$where 2000; done
  for where in 7 8 9; do
    try $common -$where 2000
    try $common -$where -1 -m 2 -y
    try $common -$where -1 -m 2 -k
    try $common -$where -1 -m 4 -s 1
  done
done
echo "1..$n"
exit $failed
