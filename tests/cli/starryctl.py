#!/usr/bin/env python3
"""starryctl.py STARRYRUN: ps, exec, cp and kill on a running instance."""
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

check("ps, nothing runs", ctl("ps").stdout, b"no instance is running\n")
instance = start("-q", "--name", "one", "sh", "-c", "echo inside > file; echo ready; exec sleep 1000", stdout=subprocess.PIPE)
check("starts", instance.stdout.readline(), b"ready\n")

wait_for("ps", lambda: re.search(rb"^one  \(starryrun \d+\)\n.*\n +\d+ +1 +\d+ +1 S +\d+\.\d\d  sleep 1000\n", ctl("ps").stdout))
r = ctl("exec", "one", "cat", input=b"typed\n")
check("exec: streams", (r.returncode, r.stdout, r.stderr), (0, b"typed\n", b""))
check("exec: status", ctl("exec", "one", "sh", "-c", "exit 9").returncode, 9)
for _ in range(10):  # "started" and "exit" often arrive together
    check("exec: a short one", ctl("exec", "one", "true").returncode, 0)
check("exec: killed", ctl("exec", "one", "sh", "-c", "kill -SEGV $$").returncode, 139)
r = ctl("exec", "one", "nonsense")
check("exec: not found", (r.returncode, r.stderr), (127, b"starryctl: nonsense: command not found\n"))
check("exec: options", ctl("exec", "-e", "A=b c", "-w", "/usr", "one", "sh", "-c", "echo $A; pwd").stdout, b"b c\n/usr\n")
check("exec: user", ctl("exec", "-u", "5:6", "one", "sh", "-c", "id -u; id -g").stdout, b"5\n6\n")
check("exec: bad directory", ctl("exec", "-w", "/nonsense", "one", "true").returncode, 125)
check("exec: same tree, this directory", ctl("exec", "one", "cat", "file").stdout, b"inside\n")
p = start("exec", "one", "sh", "-c", "trap 'echo caught; exit 4' TERM; echo ready; while :; do sleep 0.1; done",
          program=STARRYCTL, stdout=subprocess.PIPE)
check("exec: runs", p.stdout.readline(), b"ready\n")
p.terminate()
check("exec: passes signals on", (p.stdout.readline(), p.wait(30)), (b"caught\n", 4))
p = start("exec", "one", "sh", "-c", "trap 'echo hup > hup; exit' HUP; echo ready; while :; do sleep 0.1; done",
          program=STARRYCTL, stdout=subprocess.PIPE)
p.stdout.readline()
p.kill()
p.wait(30)
wait_for("exec: SIGHUP when starryctl is killed", lambda: ctl("exec", "one", "cat", "hup").stdout == b"hup\n")

os.makedirs("tree/sub")
big = os.urandom(2_000_000)
for name, content in (("tree/a", b"aa\n"), ("tree/sub/big", big)):
    with open(name, "wb") as f:
        f.write(content)
os.chmod("tree/a", 0o750)
os.utime("tree/a", (1, 1_000_000_000))
os.symlink("sub/big", "tree/link")
check("cp in", ctl("cp", "tree", "one:/tmp/copy").returncode, 0)
SEE = "cd /tmp/copy && find . | sort; stat -c '%a %Y' a; readlink link; sha256sum < link"
check("cp in: as it was", ctl("exec", "one", "sh", "-c", SEE).stdout,
      subprocess.run(["sh", "-c", SEE.replace("/tmp/copy", "tree")], stdout=subprocess.PIPE).stdout)
check("cp out", ctl("cp", "one:/tmp/copy", "back").returncode, 0)
check("cp out: as it was", subprocess.run(["diff", "-r", "--no-dereference", "tree", "back"]).returncode, 0)
check("cp out: mode and time", (os.stat("back/a").st_mode & 0o777, os.stat("back/a").st_mtime), (0o750, 1e9))
os.mkdir("into")
ctl("cp", "one:file", "into")
check("cp into a directory", open("into/file").read(), "inside\n")
check("cp: no such file", ctl("cp", "one:/nonsense", ".").returncode, 1)
check("cp: no such directory", ctl("cp", "tree/a", "one:/nonsense/x").returncode, 1)
check("cp: neither", ctl("cp", "a", "b").returncode, 125)
check("cp out of /proc", ctl("cp", "one:/proc/version", "version").returncode, 0)

r = run("-q", "--name", "one", "true")
check("a name in use", (r.returncode, r.stderr), (125, b"starryrun: an instance named 'one' is running already\n"))
two = start("-q", "--name", "two", "sleep", "1000")
wait_for("a second instance", lambda: b"two  (starryrun" in ctl("ps").stdout)
check("kill: no such signal", ctl("kill", "two", "NONSENSE").returncode, 125)
ctl("kill", "two", "INT")
check("kill", two.wait(30), 130)
check("kill: no such instance", ctl("kill", "two").stderr, b"starryctl: no instance named 'two' is running\n")

# The instance lives on while an exec'ed process does, and its end ends starryctl.
p = start("exec", "one", "sh", "-c", "echo ready; exec sleep 1000", program=STARRYCTL, stdout=subprocess.PIPE)
p.stdout.readline()
ctl("kill", "one", "KILL")
check("kill all", (instance.wait(30), p.wait(30)), (137, 137))
check("nothing left", os.listdir(DIR + "/run/starryrun"), [])
check("files stay", open(DIR + "/state/starryrun/one/upper" + DIR + "/file").read(), "inside\n")
finish()
