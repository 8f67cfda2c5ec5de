# The applets of the static busybox: a file tree built, packed, changed and searched without any other program.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
B=$(command -v busybox) || { echo "SKIPPED: no busybox"; exit 77; }
umask 022

exec $B sh -s "$B" <<'SCRIPT'
B=$1
$B mkdir -p tree/a/b tree/c
$B seq 1 200 >tree/a/numbers
$B printf 'one\ntwo\nthree\n' >tree/c/words
$B ln -s ../a/numbers tree/c/link
$B ln tree/c/words tree/a/b/hard
$B chmod 640 tree/c/words
export TZ=UTC
$B touch -d '2020-01-02 03:04:05' tree/a/numbers tree/c/words
$B stat -c '%n %s %a %h %F %Y' tree/a/numbers tree/c/words
$B readlink tree/c/link
$B readlink -f tree/c/link | $B sed "s|^$($B pwd -P)/||"
$B find tree | $B sort
$B tar cf t.tar tree
$B gzip -9 <t.tar >t.tar.gz
$B mkdir out
$B gunzip -c t.tar.gz | $B tar xf - -C out
$B diff -r tree out/tree && $B echo same tree
$B cp -a tree copy
$B mv copy/c copy/d
$B rm -r copy/a
$B find copy | $B sort
$B md5sum tree/a/numbers
$B sha256sum <tree/a/numbers
$B wc tree/a/numbers tree/c/words
$B head -n 3 tree/a/numbers
$B tail -n 2 tree/a/numbers
$B tail -c +680 tree/a/numbers
$B cut -c1 tree/a/numbers | $B sort | $B uniq -c
$B sort -rn tree/a/numbers | $B head -n 2
$B awk '{ s += $1 } END { print s, NR }' tree/a/numbers
$B sed -n '/two/,$p' tree/c/words | $B tr a-z A-Z
$B grep -c 1 tree/a/numbers
$B dd if=tree/a/numbers bs=7 skip=3 count=2 2>/dev/null | $B hexdump -C
$B expr 6 \* 7
$B test -d tree && $B [ ! -e missing ] && $B echo tests
$B cmp tree/a/numbers tree/c/words; $B echo status $?
$B cat missing; $B echo status $?
$B false || $B echo false
$B yes | $B head -n 2
$B echo a b c | $B xargs -n 1 $B echo arg
$B env -i X=1 $B env
$B basename /x/y.z .z
$B dirname /x/y.z
$B timeout 1 $B sleep 9; $B echo timeout $?
$B sh -c 'kill -TERM $$'; $B echo killed $?
SCRIPT
