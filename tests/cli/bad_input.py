#!/usr/bin/env python3
"""bad_input.py STARRYRUN: each mistake gives one line with the cause and the right exit status; signals to
starryrun and its violent death leave nothing behind."""
import errno
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403


def refused(what, status, args, text):
    r = run(*args)
    lines = r.stderr.decode().splitlines()
    check(what, (r.returncode, len(lines), r.stdout), (status, 1, b""))
    check(what + ": the cause", lines[:1], lambda l: bool(l) and l[0].startswith("starryrun: ") and text in l[0])


def script(name, content, mode=0o755):
    with open(name, "wb") as f:
        f.write(content)
    os.chmod(name, mode)
    return "./" + name


true = open("/bin/true", "rb").read()
refused("unknown option", 125, ["--nonsense", "true"], "--nonsense")
refused("no program", 125, [], "no PROGRAM")
refused("missing command", 127, ["nonsense"], "nonsense: command not found")
refused("missing program", 127, ["./nonsense"], "No such file")
refused("not executable", 126, [script("plain", true, 0o644)], "Permission denied")
refused("a directory", 126, ["/usr"], "Permission denied")
refused("truncated program", 126, [script("short", true[:100])], "format")
refused("bad program header", 126, [script("bad", true[:40] + b"\xff" * 24 + true[64:])], "format")
refused("wrong architecture", 126, [script("arch", true[:18] + b"\xb7\0" + true[20:])], "format")
refused("missing interpreter", 127, [script("interp", b"#!/nonsense\n")], "interpreter")
refused("empty interpreter", 126, [script("hash", b"#!\n")], "format")
refused("no such root", 125, ["--root", "/nonsense", "true"], "/nonsense")
refused("no such working directory", 125, ["--workdir", "/nonsense", "true"], "/nonsense")
refused("no such bind", 125, ["--bind", "/nonsense:/mnt", "true"], "/nonsense")
refused("upper layer is a file", 125, ["--upper", "/etc/passwd", "true"], "/etc/passwd")
refused("upper layer cannot be", 125, ["--upper", "/proc/nonsense", "true"], "/proc/nonsense")
refused("not a port", 125, ["-p", "99999:1", "true"], "99999")
refused("missing profile", 125, ["--config", "nonsense.xml", "true"], "nonsense.xml")
refused("log cannot be written", 125, ["-o", "/nonsense/log", "true"], "/nonsense/log")
refused("unknown system call to log", 125, ["-o", "log", "-e", "trace=nonsense", "true"], "nonsense")
refused("a feature to come", 125, ["-o", "log", "-e", "inject=open:poke_enter=@arg1=00", "true"], "not available")
refused("unknown error to inject", 125, ["-e", "inject=open:error=NONSENSE", "true"], "NONSENSE")
refused("nothing to shape", 125, ["-tt", "true"], "-o")
check("no state left by failures", os.path.isdir("state/starryrun") and os.listdir("state/starryrun"), lambda l: not l)

# What the host lacks: cli/deny makes one of its system calls fail (numbers of x86-64).
DENY = os.path.join(os.path.dirname(STARRYRUN), "cli", "deny")


def without(what, number, error, text):
    r = run(str(number), str(error), STARRYRUN, "true", program=DENY)
    if r.returncode == 77:
        return print(what + ": not tested, no seccomp filter can be set here")
    lines = r.stderr.decode().splitlines()
    if text is None:
        return check(what + ": works", (r.returncode, lines), (0, []))
    check(what, (r.returncode, len(lines), r.stdout), (125, 1, b""))
    check(what + ": the cause", lines[:1], lambda l: bool(l) and l[0].startswith("starryrun: ") and text in l[0])


without("no seccomp filters", 317, errno.ENOSYS, "seccomp filters: Function not implemented")
without("no memfd_create", 319, errno.ENOSYS, "shared memory: Function not implemented")
without("no execveat", 322, errno.ENOSYS, "does not start")
without("no process_vm_readv", 310, errno.EPERM, "memory of a guest process: Operation not permitted")
without("no process_vm_writev", 311, errno.EPERM, "memory of a guest process: Operation not permitted")
without("no namespaces", 272, errno.EPERM, None)
without("no pidfd_open", 434, errno.ENOSYS, None)
r = run("--uname-2.6", STARRYRUN, "true", program="setarch")
check("old kernel", (r.returncode, r.stderr), lambda g: g[0] == 125 and b"Linux 5.15 or later is needed, this is 2.6" in g[1])
r = run("--sigpending=0", STARRYRUN, "-q", "sh", "-c", "kill -9 $$", program="prlimit")
check("no room for queued signals: works", (r.returncode, r.stderr), (137, b""))

# What the guest writes.
r = run("sh", "-c", "echo x > changed")
check("the last line tells", r.stderr, lambda s: b"1 file changed, kept in " + DIR.encode() in s)
check("unchanged: silence, nothing kept", (run("true").stderr, len(os.listdir("state/starryrun"))), (b"", 1))
r = run("--upper", "up", "-q", "sh", "-c", "echo x > /tmp/new; rm -f changed")
check("--upper", (r.stderr, open("up/upper/tmp/new").read()), (b"", "x\n"))
check("--upper again", run("--upper", "up", "-q", "cat", "/tmp/new").stdout, b"x\n")
busy = start("--upper", "up", "-q", "sh", "-c", "echo ready; exec sleep 100", stdout=subprocess.PIPE)
busy.stdout.readline()
refused("--upper in use", 125, ["--upper", "up", "true"], "in use")


def guests_of(supervisor):
    return subprocess.run(["ps", "--ppid", str(supervisor), "-o", "pid="], stdout=subprocess.PIPE).stdout.split()


# Signals.
busy.terminate()
check("SIGTERM ends the guest", busy.wait(30), 143)
p = start("-q", "sh", "-c", "trap 'echo one' INT; echo ready; while :; do sleep 0.1; done", stdout=subprocess.PIPE)
p.stdout.readline()
p.send_signal(signal.SIGINT)
check("SIGINT once", p.stdout.readline(), b"one\n")
p.send_signal(signal.SIGINT)
check("SIGINT twice", p.wait(30), 137)
p = start("-q", "sh", "-c", "echo kept > kept; echo ready; exec sleep 100", stdout=subprocess.PIPE)
p.stdout.readline()
children = guests_of(p.pid)
p.kill()
p.wait()
wait_for("kill -9 of starryrun takes the guests along",
         lambda: not any(os.path.exists("/proc/" + c.decode()) for c in children))
check("what was written stays", subprocess.run("cat state/starryrun/*/upper" + DIR + "/kept", shell=True,
                                               stdout=subprocess.PIPE).stdout, b"kept\n")
r = run("-q", "sh", "-c", "(sleep 1; echo late) & echo early")
check("waits for what the program left behind", r.stdout, b"early\nlate\n")
finish()
