#!/usr/bin/env python3
"""profiles.py STARRYRUN: profiles change what they say and nothing else: results, errors, arguments, files,
limits, names, panics; mistakes give one line with file and line."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403


def profile(body, name="p.xml", attributes=""):
    with open(name, "w") as f:
        f.write(f"<profile {attributes}>\n{body}\n</profile>\n")
    return name


def calls(body, *command):
    return run("--config", profile("<syscalls>" + body + "</syscalls>"), *command)


# Results and errors.
r = calls('<call name="unlink,unlinkat" result="EROFS"/>', "sh", "-c", "touch f; rm f; ls f")
check("an errno", (b"Read-only file system" in r.stderr, r.stdout), (True, b"f\n"))
r = calls('<call name="getuid,geteuid" result="77"/>', "id", "-u")
check("a value", r.stdout, b"77\n")
r = calls('<call name="openat" errors="ENOENT:EACCES"/>', "cat", "nonsense")
check("errors become others", r.stderr, lambda s: b"Permission denied" in s)
r = calls('<call name="mkdir" errors="0"/>', "mkdir", "/proc/nonsense")
check("errors become success", (r.returncode, r.stderr), (0, b""))
r = calls('<call name="memfd_create" result="ENOSYS"/>', "python3", "-c",
          "import os\nfor i in range(2):\n try: os.memfd_create('x')\n except OSError as e: print(e.errno)")
check("ENOSYS", r.stdout, b"38\n38\n")
check("ENOSYS: one warning", r.stderr.decode().splitlines(), lambda l: len(l) == 1 and l[0].startswith(
    "starryrun: python3[") and l[0].endswith(') is missing in the profile p (ENOSYS)') and "memfd_create(" in l[0])

# Some uses of a call only.
r = calls('<call name="fcntl"><when cmd="F_DUPFD_CLOEXEC" result="EMFILE"/></call>', "python3", "-c",
          "import fcntl\nprint(fcntl.fcntl(0, fcntl.F_GETFD))\ntry: fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)\n"
          "except OSError as e: print(e.errno)")
check("an operation", r.stdout, b"0\n24\n")
r = calls('<call name="socket"><when domain="AF_INET6" result="EAFNOSUPPORT"/></call>', "python3", "-c",
          "import socket\nsocket.socket()\ntry: socket.socket(socket.AF_INET6)\nexcept OSError as e: print(e.errno)")
check("a domain", r.stdout, b"97\n")
r = calls('<call name="openat" drop="flags=O_EXCL"/>', "python3", "-c",
          "import os\nfor i in range(2): os.open('e', os.O_CREAT | os.O_EXCL | os.O_WRONLY)\nprint('twice')")
check("a flag is dropped", r.stdout, b"twice\n")
r = calls('<call name="%network" result="EPERM"/><call name="socketpair"/>', "python3", "-c",
          "import socket\nsocket.socketpair()\ntry: socket.socket()\nexcept OSError as e: print(e.errno)")
check("a class", r.stdout, b"1\n")

# Panics.
r = calls('<call name="uname" result="panic"/>', "sh", "-c", "sleep 100 & uname; echo never")
check("panic: everybody ends", (r.returncode, r.stdout), (122, b""))
lines = r.stderr.decode().splitlines()
check("panic: the message", lines[:1], lambda l: bool(l) and re.fullmatch(
    r"starryrun: the modelled kernel panics at uname\[\d+\]: uname\(.*\): not in the profile p", l[0]))
check("panic: the stack", any(re.search(r"/libc\.so\.6\(\w*uname\+0x", line) for line in lines), True)

# Files, limits, names.
body = """<machine hostname="board" release="4.2" machine="riscv64"/><limits stack="256K" nofile="64:128"/>
<files><file path="/proc/filesystems" result="ENOENT"/><file path="/proc/meminfo" content="MemTotal: 1 kB&#10;"/>
<file path="/proc/self/status" size="4096"/><file path="/etc/hostname" content="profile"/></files>"""
p = profile(body)
r = run("--config", p, "sh", "-c", "cat /proc/filesystems; cat /proc/meminfo; stat -c %s /proc/self/status;"
        "grep -c ^Name /proc/self/status; cat /etc/hostname")
check("files", (r.stdout, b"filesystems: No such file" in r.stderr), (b"MemTotal: 1 kB\n4096\n1\nprofile", True))
r = run("--config", p, "bash", "-c", "ulimit -s; ulimit -n; ulimit -Hn; uname -nrm")
check("limits and names", r.stdout, b"256\n64\n128\nboard 4.2 riscv64\n")
r = run("--config", p, "--hostname", "other", "uname", "-n")
check("the command line wins", r.stdout, b"other\n")

# Inheritance, and the profiles that come along.
profile('<syscalls><call name="getppid" result="5"/><call name="getuid" result="6"/></syscalls>', "base.xml")
p = profile('<syscalls><call name="getuid"/></syscalls>', "child.xml", 'extends="base.xml"')
r = run("--config", p, "--user", "1000", "python3", "-c", "import os; print(os.getppid(), os.getuid())")
check("extends", r.stdout, b"5 1000\n")
check("by name", run("--config", "linux", "true").returncode, 0)
r = run("--config", "starry-2024-enosys", "busybox", "echo", "hello") if os.path.exists("/bin/busybox") else None
if r:
    check("starry-2024 runs busybox", (r.returncode, r.stdout), (0, b"hello\n"))
    r = run("--config", "starry-2024", "busybox", "ln", "-s", "a", "b")
    check("starry-2024 panics at what it lacks", r.returncode, 122)

# Mistakes.
for what, text, cause in (
        ("not XML", "<profile", "bad.xml:1: "), ("unknown element", "<profile>\n<toaster/></profile>", "bad.xml:2: "),
        ("unknown call", "<profile>\n<syscalls>\n<call name='x'/></syscalls></profile>", "bad.xml:3: "),
        ("unknown flag", "<profile><syscalls><call name='read'>\n<when fd='O_X'/></call></syscalls></profile>",
         "bad.xml:2: fd has no named values")):
    with open("bad.xml", "w") as f:
        f.write(text)
    r = run("--config", "bad.xml", "true")
    check("mistake: " + what, (r.returncode, r.stderr.count(b"\n"), cause in r.stderr.decode()), (125, 1, True))
finish()
