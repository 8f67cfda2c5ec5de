# which of Debian and of busybox: execute permission and the search along PATH.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
sh -c "which ffmpeg"; echo $?
which sh ls nosuchprogram; echo $?
which -a sh; echo $?
mkdir d1 d2; printf '#!/bin/sh\necho d2\n' >d2/tool; cp d2/tool d1/tool; chmod 644 d1/tool; chmod 755 d2/tool
PATH=d1:d2:$PATH which tool; PATH=d1:d2:$PATH tool
command -v cat; type ls
B=$(command -v busybox) || exit 0
$B which ffmpeg; echo $?
$B which sh nosuchprogram; echo $?
PATH=d1:d2:$PATH $B which -a tool; echo $?
$B which ./d1/tool; echo $?
