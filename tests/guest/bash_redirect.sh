# Redirections of bash: descriptors opened, duplicated, moved, closed, append, noclobber, /dev/fd.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec bash -s <<'SCRIPT'
umask 022
echo one >f; echo two >>f; cat <f; wc -c <f
{ echo out; echo err >&2; } >o 2>e; cat o e
{ echo out; echo err >&2; } &>both; sort both
{ echo out; echo err >&2; } &>>both; wc -l <both
exec 5>five; echo a >&5; echo b >&5; exec 5>&-; cat five
(echo x >&5) 2>/dev/null; echo closed $?
exec 6<f 7<&6; read -r l <&6; echo "$l"; read -r l <&7; echo "$l"; exec 6<&- 7<&-
exec 8<>rw; echo data >&8; exec 8>&-; cat rw
exec {fd}<f; echo $((fd >= 10)); cat <&"$fd"; exec {fd}<&-
exec 9>moved; exec 4>&9-; echo m >&4; (: >&9) 2>/dev/null; echo moved $?; exec 4>&-; cat moved
set -C; (echo no >f) 2>/dev/null; echo noclobber $?; echo yes >|f; cat f; set +C
cat <missing 2>/dev/null; echo $?; (echo >/nosuch/file) 2>/dev/null; echo $?
echo dev-fd | cat /dev/fd/0; echo to-stdout >/dev/stdout | cat; echo x | cat /dev/stdin
exec 3>log; for i in 1 2 3; do echo "line $i" >&3 & done; wait; exec 3>&-; sort log
echo 0123456789 >pos; exec 3<>pos; read -r -n 4 h <&3; echo "$h"; printf XY >&3; exec 3>&-; cat pos
: >trunc; stat -c '%s %a' trunc; umask 077; : >priv; stat -c %a priv
while read -r a b; do echo "$b-$a"; done <<<'1 2
3 4' >swapped; cat swapped
mkfifo pipe; (echo through the fifo >pipe) & read -r l <pipe; echo "$l"; wait; stat -c '%F %a' pipe
ls -l /proc/self/fd 2>/dev/null | grep -c ' 0 '
SCRIPT
