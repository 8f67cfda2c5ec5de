#!/usr/bin/env python3
"""standard_streams.py STARRYRUN: pipes, files, sockets, /dev/null and closed descriptors as the guest's
standard input, output and error: what it sees of them and what arrives outside."""
import os
import socket
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

r = run("-q", "cat", input=b"some input\n")
check("pipes", (r.returncode, r.stdout, r.stderr), (0, b"some input\n", b""))
r = run("-q", "sh", "-c", "echo out; echo err >&2; exit 3")
check("output, error, status", (r.returncode, r.stdout, r.stderr), (3, b"out\n", b"err\n"))
data = os.urandom(3_000_000)
r = run("-q", "cat", input=data)
check("much through pipes", r.stdout == data, True)

with open("in", "w") as f:
    f.write("one\ntwo\nthree\n")
with open("in") as f:
    r = run("-q", "sh", "-c", "read a; echo $a", stdin=f)
    check("a file's position is shared", (r.stdout, os.lseek(f.fileno(), 0, os.SEEK_CUR)), (b"one\n", 4))
with open("log", "w") as f:
    f.write("before\n")
    f.flush()
    run("-q", "sh", "-c", "echo out; echo err >&2; echo out", stdout=f, stderr=f)
    f.write("after\n")
check("one file for output and error", open("log").read(), "before\nout\nerr\nout\nafter\n")
with open("log", "a") as f:
    run("-q", "echo", "appended", stdout=f)
check("O_APPEND", open("log").read(), lambda s: s.endswith("after\nappended\n"))

SEE = "import os,stat; print([stat.filemode(os.fstat(i).st_mode)[0] for i in (0,1,2)], [os.isatty(i) for i in (0,1,2)])"
python = "/usr/bin/python3"
if os.path.exists(python):
    a, b = socket.socketpair()
    with open("in") as f:
        r = run("-q", python, "-c", SEE, stdin=f, stderr=b)
    check("types", r.stdout, b"['-', 'p', 's'] [False, False, False]\n")
    a.close()
    b.close()
a, b = socket.socketpair()
p = start("-q", "sh", "-c", "read x; echo got $x", stdin=b, stdout=b)
b.close()
a.sendall(b"words\n")
check("a socket", (a.recv(100), p.wait(30)), (b"got words\n", 0))
check("O_NONBLOCK stays off outside", a.getblocking(), True)
a.close()

r = run("-q", "sh", "-c", "stat -Lc '%F %t:%T' /dev/stdin; [ /dev/stdin -ef /dev/null ] && echo same; cat; echo end")
check("/dev/null", r.stdout, b"character special file 1:3\nsame\nend\n")
r = subprocess.run(["sh", "-c", 'exec "$0" -q ls /proc/self/fd <&-', STARRYRUN], env=ENV, stdout=subprocess.PIPE)
check("input closed", r.stdout.split()[:3], [b"0", b"1", b"2"])  # 0 is the directory
r = subprocess.run(["sh", "-c", '"$0" -q sh -c "echo lost; echo status \\$? >&2" >&-', STARRYRUN], env=ENV,
                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
check("output closed", r.stderr, lambda s: s.endswith(b"status 1\n") or s.endswith(b"status 2\n"))
r = subprocess.run(["bash", "-c", 'exec 7<in; exec "$0" -q sh -c "cat <&7"', STARRYRUN], env=ENV,
                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
check("a further descriptor", r.stdout, b"one\ntwo\nthree\n")

r = subprocess.run(["bash", "-c", '"$0" -q yes | head -1; echo ${PIPESTATUS[0]}', STARRYRUN], env=ENV,
                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=default_signals)
check("SIGPIPE", r.stdout, b"y\n141\n")
p = start("-q", "sh", "-c", "exec >&-; exec sleep 100", stdout=subprocess.PIPE)
check("the reader sees when the guest closes", p.stdout.read(), b"")
p.terminate()
p.wait(30)
r = run("-q", "sh", "-c", "echo o > /dev/stdout; echo e > /dev/stderr; cat /dev/stdin", input=b"i")
if os.getuid() != 0:  # the guest's user could not do that natively either
    check("/dev/stdin and others", (r.stdout, r.stderr), (b"o\ni", b"e\n"))
p = start("-q", "sh", "-c", "sleep 1; echo late", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
check("output before the end of input", p.stdout.readline(), b"late\n")
p.stdin.close()
check("its status", p.wait(30), 0)
finish()
