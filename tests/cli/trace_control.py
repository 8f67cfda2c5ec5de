#!/usr/bin/env python3
"""trace_control.py STARRYRUN: the log of system calls is switched on, off and changed while the guest runs;
outputs of other kinds (a command, a file per thread, JSON, a summary); injected results."""
import glob
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403


def text_of(name):
    return open(name, errors="surrogateescape").read() if os.path.exists(name) else ""


# Switched on and off while the guest runs. The guest does one step per line of input.
guest = start("-q", "--name", "traced", "sh", "-c", "while read word; do cd $word; echo done $word; done",
              stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def step(directory):
    guest.stdin.write(directory.encode() + b"\n")
    guest.stdin.flush()
    return guest.stdout.readline()


step("/")
check("off at first", ctl("trace", "traced").stdout, b"off\n")
r = ctl("trace", "traced", "on")
check("on needs a file", (r.returncode, r.stderr), lambda v: v[0] == 125 and b"-o" in v[1])
r = ctl("trace", "traced", "-e", "nonsense", "-o", "log1")
check("a wrong expression changes nothing", (r.returncode, os.path.exists("log1")),
      lambda v: v == (125, False))
check("on with a file", ctl("trace", "traced", "-o", "log1", "-e", "trace=chdir").stdout,
      ("on, to " + os.path.join(DIR, "log1") + "\n").encode())
step("/usr")
check("off", ctl("trace", "traced", "off").stdout, b"off\n")
step("/etc")
ctl("trace", "traced", "on", "-e", "inject=chdir:error=EIO")
step("/var")
ctl("trace", "traced", "-o", "log2", "-e", "trace=write")
step("/tmp")
guest.stdin.close()
check("the guest is well", guest.wait(30), 0)
# The results stand in one column; the number of the thread in front, at least 5 wide and a space, counts too.
number = re.match(r"\d+ *", text_of("log1")).group(0)
check("what was logged", text_of("log1"), "".join(
    f"{number + call:<40}{result}\n" for call, result in (
        ('chdir("/usr")', "= 0"), ('chdir("/var")', "= -1 EIO (Input/output error) (INJECTED)"))))
check("the width of the number", number, lambda n: len(n) == max(6, len(n.rstrip(" ")) + 1))
check("the other file", text_of("log2"), lambda t: "done /tmp" in t and "chdir" not in t)

# Where the log can go.
r = run("-q", "-o", "|cat >piped; echo end >>piped", "-e", "trace=execve", "true")
check("a command", (r.returncode, text_of("piped")),
      lambda v: v[0] == 0 and "execve(" in v[1] and v[1].endswith("+++ exited with 0 +++\nend\n"))
run("-q", "-ff", "-o", "each", "-e", "trace=execve", "sh", "-c", "/bin/true; :")
names = sorted(glob.glob("each.*"))
check("a file per thread", [text_of(n).count("+++ exited with 0 +++") for n in names], [1, 1])
check("without thread numbers", [text_of(n)[:7] for n in names], ["execve("] * 2)
# A bit without a name is told of once, also by a program that ends at once.
r = run("-o", "unknown", "python3", "-IS", "-c",
        "import os\nfor f in (0, os.O_CLOEXEC, os.O_APPEND): os.open('/etc/passwd', f | 0x40000000)")
check("a value without a name", [l for l in r.stderr.decode().splitlines() if "without a name" in l],
      lambda v: len(v) == 1 and re.fullmatch(r"starryrun: python[\d.]*\[2\]: openat: a value without a name: 0x40000000 \(O_\?\?\?\)", v[0]))
r = run("-qq", "-o", "short", "-e", "trace=execve", "true")
check("-qq", text_of("short"), lambda t: "execve(" in t and "exited" not in t)
check("-qq without a log", run("-qq", "true").returncode, 0)
r = run("-q", "-c", "sh", "-c", "cd /; cd /usr; cd /nonsense")
check("a summary on standard error", r.stderr.decode(),
      lambda t: re.search(r"^ +[\d.]+ +[\d.]+ +\d+ +3 +1 chdir$", t, re.M) and t.endswith(" total\n"))

# Injection needs no log.
r = run("-q", "-e", "inject=chdir:error=EACCES:when=2", "sh", "-c", "cd /usr && echo one; cd /var && echo two; cd /")
check("injected without a log", (r.stdout, b"Permission denied" in r.stderr or b"can't cd" in r.stderr), (b"one\n", True))
r = run("-q", "-o", "injected", "-e", "trace=chdir", "-e", "inject=chdir:retval=0:signal=USR1:delay_exit=1000", "sh", "-c",
        "trap 'echo signal' USR1; cd /nonsense && echo passed")
check("value, signal, delay", (r.stdout, text_of("injected")),
      lambda v: v[0] == b"signal\npassed\n" or v[0] == b"passed\nsignal\n" and "(INJECTED) (DELAYED)" in v[1])

# JSON.
run("-q", "--trace-json", "log.json", "sh", "-c", "sleep 0.05; cd /nonsense")
events = [json.loads(line) for line in open("log.json")]
check("JSON: the head", events[0], lambda e: e["type"] == "start" and e["version"] == 1 and e["program"][0] == "sh")
calls = [e for e in events if e["type"] == "call"]
chdir = [e for e in calls if e["name"] == "chdir"]
check("JSON: a call", chdir and {k: chdir[0][k] for k in ("args", "ret", "errno", "nr", "comm", "text")},
      {"args": ['"/nonsense"'], "ret": -1, "errno": "ENOENT", "nr": 80, "comm": "sh",
       "text": 'chdir("/nonsense") = -1 ENOENT (No such file or directory)'})
sleep = [e for e in calls if e["name"] == "clock_nanosleep"]
check("JSON: what it slept on", sleep and sleep[0]["blocked"],
      lambda b: b and b[0]["on"] == "timer" and b[0]["to"] - b[0]["from"] >= 40_000_000)
check("JSON: in order, times from the start", all(0 <= e["start"] and e["duration"] >= 0 for e in calls), True)
check("JSON: signals and ends", sorted({e["type"] for e in events}), ["call", "exec", "exit", "signal", "start"])
finish()
