# find, tar, gzip, xz and cpio-like round trips over a generated tree.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
command -v xz >/dev/null || { echo "SKIPPED: no xz"; exit 77; }
umask 022
mkdir -p src/deep/er/est src/empty
for i in 1 2 3 4 5 6 7 8 9; do seq $i 3 3000 >src/deep/f$i; done
awk 'BEGIN { for (i = 0; i < 60000; i++) printf "%c", 32 + (i * i) % 90 }' >src/deep/er/data
ln -s er/data src/deep/sym; ln -s /nowhere src/dangling; ln src/deep/f1 src/deep/er/hard; mkfifo src/fifo
chmod 700 src/empty; chmod 4755 src/deep/f2; chmod 000 src/deep/f3
find src -exec touch -h -d '2021-05-06 07:08:09 UTC' {} +
list() { (cd "$1" && find . -printf '%y %m %n %l %TY-%Tm-%Td %p ' \( -type d -printf '\n' -o -printf '%s\n' \) | sort); }
chmod 600 src/deep/f3
list src
find src -type f -size +20k; find src -name 'f[2-4]' | sort; find src -links 2 | sort; find src -empty | sort
find src -type l -printf '%p -> %l\n' | sort; find src -perm -4000; find src -maxdepth 1 -mindepth 1 | sort
find src -newermt 2021-05-06 ! -newermt 2021-05-07 | wc -l; find src -path '*/er/*' -prune -o -type d -print | sort
find src -type f -print0 | sort -z | xargs -0 -n 4 md5sum | md5sum
tar --sort=name --owner=0 --group=0 --numeric-owner -cf t.tar src; md5sum <t.tar; tar tf t.tar | wc -l
mkdir x; tar xpf t.tar -C x; list src >l1; list x/src >l2; cmp l1 l2 && echo equal tree
xz -k -T1 t.tar; xz -t t.tar.xz && xz -dc t.tar.xz | cmp - t.tar && echo xz
xz -T2 -c t.tar | xz -dc | md5sum
gzip -nkc t.tar | gzip -dc | md5sum; bzip2 -c t.tar 2>/dev/null | bzip2 -dc 2>/dev/null | md5sum
tar -C src -cJf - deep | tar -C x -xJf - && find x/deep | wc -l
tar rf t.tar l1; tar tf t.tar | tail -n 1; tar --delete -f t.tar l1; tar tf t.tar | wc -l
tar xf t.tar -O src/deep/f9 | md5sum; tar cf own.tar src; tar df own.tar && echo no difference
find x -depth -delete; ls -A x 2>/dev/null | wc -l; rm -rf src; ls
