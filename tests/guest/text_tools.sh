# sed, awk, sort and their company: files edited in place, large sorts through temporary files, joins.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
awk 'BEGIN { x = 42; for (i = 0; i < 40000; i++) { x = (x * 16807) % 2147483647; printf "%d %s%d\n", x % 1000, "k", i } }' >data
wc data; md5sum <data
sort -n data | md5sum; sort -k2,2 -k1,1n data | md5sum; sort -S 64k -T . -n data | md5sum; sort --parallel=2 -n data | md5sum
sort -n -u -k1,1 data | wc -l; sort data >s; sort -c s && echo sorted; sort -c data 2>/dev/null; echo $?
cut -d' ' -f1 data | sort -n | uniq -c | sort -rn | awk '{ print $1 }' | head -n 3
cp data edit; sed -i.bak -e 's/k\([0-9]*\)5$/K\1five/' -e '/^7/d' edit; wc -l edit edit.bak; md5sum <edit
sed -n '100,103p;$=' data; sed '1~10000!d' data; printf 'a\nb\nc\n' | sed 'N;P;D'; echo abc | sed 's/\(.\)\(.\)/\2\1/;y/c/C/'
awk '{ n[$1 % 10] += 1 } END { for (i = 0; i < 10; i++) print i, n[i] }' data
awk -F: '{ print $1 | "sort -r | head -n 1" } END { close("sort -r | head -n 1"); print "end" }' /etc/passwd
awk 'BEGIN { while (("seq 3" | getline l) > 0) print "got", l; "pwd" | getline d; print (d != ""); system("exit 3"); printf "%5.2f|%x|%s\n", 3.14159, 255, "s" }'
split -l 9000 data part.; ls part.*; cat part.* | cmp - data && echo split
seq 1 5 | sed 's/$/ a/' >j1; seq 3 7 | sed 's/$/ b/' >j2; join j1 j2
paste -d, j1 j2; comm -3 j1 j2; tac j1 | nl; fold -w 3 j2 | head -n 3; expand -t 4 j1 | od -c | head -n 2
tr -dc '0-4' <data | wc -c; tr -s 'k0' <data | md5sum; rev j1; seq 10 | shuf --random-source=data | sort -n | xargs
grep -c '99 ' data; grep -E -o '^[0-9]{3} k1{3,}' data | head -n 3; grep -q zzz data; echo $?; grep -n -m 2 '^500 ' data
diff j1 j2; diff -u --label 1 --label 2 j1 j2
cksum data; sum data; sha1sum data; base64 data | base64 -d | cmp - data && echo base64; od -An -tx4 -N16 data
head -c 100000 data | tail -c 20; (echo a; sleep 0.2; echo b) | tail -n 1; timeout 0.5 tail -f j1; echo $?
ls -l /usr/bin/env | cut -c1-10; tee t1 t2 <j1 >/dev/null; cmp t1 t2 && echo tee
