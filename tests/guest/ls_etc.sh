# A recursive long listing of /etc: types, modes, owners, sizes, times, links and order as on the host.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
ls -laR /etc 2>ls.err | md5sum
sort ls.err | md5sum
ls -laR --full-time /etc 2>/dev/null | wc -l
find /etc -xdev -printf '%y %m %U %G %s %n %l %p\n' 2>/dev/null | sort | md5sum
find /etc -type f -name '*.conf' -readable -exec cat {} + 2>/dev/null | md5sum
