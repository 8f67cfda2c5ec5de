# Job control of a bash without terminal: set -m, jobs, stop and continue, fg, bg, wait, kill %n, disown.
# Not the numbers of later jobs: they depend on when bash has noticed the ends of the former.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cat >t.bash <<'SCRIPT'
set -m
state() { ps -o stat= -p "$1" | cut -c1; }
until_state() { while [ "$(state "$1")" != "$2" ]; do sleep 0.01; done; }
sleep 30 & p=$!
jobs; jobs -r | wc -l
[ "$(ps -o pgid= -p $p | tr -d ' ')" = $p ] && echo own process group
kill -STOP %1; until_state $p T; jobs
bg %1 >/dev/null; until_state $p S; jobs
kill %1; wait %1; echo killed $?
(exit 7) & wait $!; echo exit $?
sleep 0.2 & sleep 0.1 & wait; echo all $?
(sleep 0.05; exit 1) & a=$!; (sleep 0.5; exit 2) & b=$!
wait -n $a $b; echo first $?; wait -n $a $b; echo second $?
wait 999999 2>/dev/null; echo not a child $?
sh -c 'kill -STOP $$; echo continued; exit 5' & p=$!
until_state $p T; fg %% >/dev/null; echo fg $?
sleep 30 | sleep 30 | sleep 30 & jobs %% | cut -c4-; kill -TERM %%; wait %%; echo pipeline $?
sleep 30 & p=$!; kill -KILL $p; wait $p; echo $?
sleep 30 & p=$!; kill -INT %%; wait $p; echo $?
sleep 30 & p=$!; disown $p; jobs | grep -c Running; kill $p
sh -c 'sleep 30 & sleep 30 & wait' & p=$!
while [ "$(pgrep -g $p -c)" != 3 ]; do sleep 0.01; done
kill -TERM -$p; wait $p; echo group $?
while [ "$(pgrep -g $p -c)" != 0 ]; do sleep 0.01; done; echo group is gone
suspended() { sleep 0.3; }; suspended & kill -STOP %%; kill -CONT %%; wait %%; echo $?
set +m; sleep 0.2 & wait; jobs; echo end
SCRIPT
exec setsid -w bash t.bash
