# Pipelines of bash: exit statuses, pipefail, SIGPIPE, subshells, command substitution, coprocesses.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec bash -s <<'SCRIPT'
seq 1 1000 | grep 7 | sort -rn | head -n 3
true | false | true; echo "${PIPESTATUS[@]} last $?"
set -o pipefail
true | (exit 3) | true; echo pipefail $?
yes 2>/dev/null | head -n 1; echo "${PIPESTATUS[@]}"
set +o pipefail
! true; echo not $?
x=$(echo outer $(echo inner $(echo innermost))); echo "$x"
(cd /; pwd; exit 4); echo subshell $?; { echo group; } | cat
a=1; (a=2); echo $a; echo 5 | { read -r b; echo "read $b"; }
shopt -s lastpipe; echo 6 | read -r c; echo "lastpipe $c"
printf '%s\n' {1..5} | while read -r n; do echo "n$n" | tr n N; done | paste -sd,
head -c 3000000 /dev/zero | tee >(md5sum >m1) | md5sum; while [ ! -s m1 ]; do sleep 0.01; done; cat m1
seq 1 200000 | sort -n | tac | sort -n | md5sum
coproc C { while read -r l; do echo "<$l>"; done; }
echo hello >&"${C[1]}"; read -r answer <&"${C[0]}"; echo "$answer"
exec {C[1]}>&-; wait "$C_PID"; echo coproc $?
echo err 2>&1 >/dev/null | cat; (echo to-err >&2) 2>&1 | cat; (echo both; echo err >&2) |& sort
nosuchcommand 2>/dev/null; echo missing $?
/etc/passwd 2>/dev/null; echo not executable $?
bash -c 'exit 300'; echo $?
time_limit=$(timeout 0.2 sleep 5; echo $?); echo timeout "$time_limit"
for i in 1 2 3 4 5 6 7 8; do echo $((i * i)) | cat | cat | cat | cat; done | xargs
SCRIPT
