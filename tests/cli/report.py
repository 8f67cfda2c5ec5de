#!/usr/bin/env python3
"""report.py STARRYRUN: --report counts calls, errors, flags and codes as strace does natively, and says what
was missing."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

SCRIPT = """import ctypes, fcntl, os, socket
for i in range(3):
    try: os.stat('/proc/nonsense')
    except OSError: pass
open('/proc/self/status').close()
fd = os.open('new', os.O_CREAT | os.O_WRONLY)
fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
socket.socket().setsockopt(socket.SOL_TCP, socket.TCP_NODELAY, 1)
libc = ctypes.CDLL(None)
libc.syscall(212, 7, 0, 0)
libc.syscall(212, 7, 0, 0)
libc.prctl(0x4242, 0, 0, 0, 0)
if os.fork() == 0:
    os.getppid()
    os._exit(3)
os.wait()
"""
r = run("-q", "--report", "report.json", "-o", "log", "-s", "200", "python3", "-S", "-c", SCRIPT)
check("the program's status", r.returncode, 0)
with open("report.json") as f:
    report = json.load(f)
check("the command", (report["command"][:2], report["status"]), (["python3", "-S"], 0))
total = report["total"]
check("errors", total["calls"]["lookup_dcookie"]["errors"], {"ENOSYS": 2})
check("missing calls", list(total["missing"]["calls"]), ["lookup_dcookie"])
check("missing values", [v for v in total["missing"]["values"] if v["call"] == "prctl"],
      [{"call": "prctl", "argument": "option", "value": "0x4242", "count": 1, "errors": {"EINVAL": 1}, "unknown": True}])
check("pseudo-files", (total["files"]["/proc/nonsense"], list(total["files"]["/proc/self/status"])),
      lambda got: sum(u["count"] for u in got[0].values()) == 3 and all(
          u["errors"] == {"ENOENT": u["count"]} for u in got[0].values()) and "openat" in got[1])
arguments = total["calls"]["fcntl"]["arguments"]
check("an fcntl command", arguments["cmd"]["F_SETFL"]["count"], 1)
check("a socket option by its level", total["calls"]["setsockopt"]["arguments"]["optname"], {"TCP_NODELAY": {"count": 1}})
flags = total["calls"]["openat"]["arguments"]["flags"]
check("flags", all(f in flags for f in ("O_CREAT", "O_WRONLY", "O_RDONLY", "O_CLOEXEC")), True)
check("processes", [p["name"] for p in report["processes"]], ["python3", "python3"])
check("the child's calls", report["processes"][1]["calls"]["getppid"]["count"], 1)

# The log of the same run has the same number of every call.
logged = {}
for line in open("log"):
    m = re.match(r"\d+ +(\w+)\(", line)
    if m:
        logged[m.group(1)] = logged.get(m.group(1), 0) + 1
logged["execve"] -= 1  # the first one is written for the log's readers
counted = {name: c["count"] for name, c in total["calls"].items()}
check("as many calls as in the log", {n: (counted.get(n, 0), logged.get(n, 0)) for n in {*counted, *logged}
                                      if counted.get(n, 0) != logged.get(n, 0)}, {})

r = run("--report", "/nonsense/report", "true")
check("a file that cannot be written", (r.returncode, r.stderr.count(b"\n")), (125, 1))
finish()
