# Traps of bash: EXIT, INT, TERM, HUP, USR1, CHLD, ERR, DEBUG, RETURN, ignored signals and what children inherit.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
cat >t.bash <<'SCRIPT'
bash -c 'trap "echo exit trap" EXIT; echo body; exit 3'; echo $?
bash -c 'trap "echo term; exit 9" TERM; kill -TERM $$; echo not reached'; echo $?
bash -c 'trap "echo int" INT; kill -INT $$; echo after'; echo $?
bash -c 'trap "" TERM; kill -TERM $$; echo ignored; bash -c "kill -TERM \$\$; echo inherited"'; echo $?
bash -c 'trap "echo exit" EXIT; kill -TERM $$; sleep 1'; echo $?
bash -c 'trap "echo usr1" USR1; kill -USR1 $$; kill -USR1 $$; trap - USR1; kill -USR1 $$; echo no'; echo $?
bash -c 'trap "echo hup" HUP; sh -c "kill -HUP \$PPID"; echo after child'
bash -c 'n=0; trap "n=\$((n+1))" CHLD; for i in 1 2 3; do /bin/true; done; [ $n -ge 1 ] && echo chld'
bash -c 'set -m; trap "echo chld" CHLD; sleep 0.05 & wait; echo waited'
bash -c 'trap "echo interrupted" USR1; (sleep 0.2; kill -USR1 $$) & wait; echo wait $?; wait; echo again $?'
bash -c 'trap "echo err" ERR; false; true; (exit 2); echo end'
bash -c 'set -e; trap "echo exit \$?" EXIT; false; echo not reached'; echo $?
bash -c 'f() { trap "echo return" RETURN; echo in f; }; f; echo out'
bash -c 'trap "echo parent" EXIT; (trap "echo subshell" EXIT; :); (:); echo end'
bash -c 'trap "echo winch" WINCH; kill -WINCH $$; trap -p WINCH; trap "" PIPE; trap -p'
bash -c 'trap "kill -USR2 $$" USR1; trap "echo usr2; exit 0" USR2; kill -USR1 $$; sleep 5'
bash -c 'trap "echo loop end; exit" USR1; (sleep 0.2; kill -USR1 $$) & while :; do :; done'
for s in HUP INT KILL ALRM TERM USR1 SEGV ABRT; do bash -c "ulimit -c 0; kill -$s \$\$" 2>/dev/null; echo "$s $?"; done
kill -l 1 2 9 15 17 64 137; kill -l | md5sum
SCRIPT
exec setsid -w bash t.bash
