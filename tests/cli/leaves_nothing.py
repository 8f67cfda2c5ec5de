#!/usr/bin/env python3
"""leaves_nothing.py STARRYRUN: starts that fail and runs that are ended by force.

Each gives its exit status and a cause on standard error, keeps what the guest had written and closed, and
leaves no process: this program is the "subreaper" (prctl(2)) of everything that it starts, so that whatever
starryrun leaves behind becomes its child.
"""
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
PATIENCE = 30  # seconds, for what should happen at once


def children(pid="self"):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children") as f:
                found += [int(p) for p in f.read().split()]
        except OSError:
            pass  # the thread has just ended, or the host does not tell
    return found


def maps(pid, name):
    try:
        with open(f"/proc/{pid}/maps") as f:
            return name in f.read()
    except OSError:
        return False


def nothing_left(what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.02)
        except ChildProcessError:
            return
    left = [(pid, open(f"/proc/{pid}/comm").read().strip()) for pid in children()]
    check(what + ": no process is left", left, [])
    for pid, _ in left:
        os.kill(pid, signal.SIGKILL)


def begin(*args, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return start(*args, **options)


def ends(what, process, status, cause, out=None):
    """`cause`: a pattern that one line of starryrun must match; None: it says nothing."""
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        check(what, "still runs", None)
        process.kill()
        stdout, stderr = process.communicate()
    check(what, process.returncode, status)
    said = [l for l in stderr.splitlines() if "changed, kept in" not in l and l != "Terminated"]  # a guest's shell
    if cause is None:
        check(what + ": says nothing", said, [])
    else:
        check(what + ": the cause", said, lambda l: any(re.match("starryrun: " + cause, x) for x in l))
    if out is not None:
        check(what + ": its output", stdout, out)
    nothing_left(what)
    return said


def refused(what, process, status, cause):
    check(what + ": in one line", len(ends(what, process, status, cause)), 1)


def make(name, content, mode=0o755):
    with open(name, "wb") as f:
        f.write(content)
    os.chmod(name, mode)
    return "./" + name


def true_program(at=0, value=b""):
    with open("/bin/true", "rb") as f:
        data = bytearray(f.read())
    data[at:at + len(value)] = value
    return data


# --- starts that fail ---

refused("missing program", begin("./nonsense"), 127, "./nonsense: No such file or directory")
refused("unknown option", begin("--nonsense", "true"), 125, "unknown option --nonsense")
refused("empty program", begin(make("empty", b"")), 126, "./empty: Exec format error")
refused("only a magic number", begin(make("magic", b"\x7fELF")), 126, "./magic: Exec format error")
refused("32-bit program", begin(make("elf32", true_program(4, b"\1"))), 126, "./elf32: Exec format error")
refused("noise behind the header", begin(make("noise", true_program()[:64] + b"\xa5" * 20000)), 126, "./noise: ")
program = true_program()
refused("another dynamic loader", begin(make("no-ld", true_program(program.index(b"/lib64/ld-linux"), b"/lib99"))),
        127, "./no-ld: the interpreter that it names does not exist")
for size in (63, 200, 5000, len(program) // 2):
    make("short", program[:size])
    refused(f"truncated to {size} bytes", begin("./short"), 126, "./short: ")
    native = subprocess.run(["sh", "-c", "./short"], stderr=subprocess.DEVNULL).returncode
    check("truncated, run by a guest: as natively", run("-q", "sh", "-c", "./short; exit $?").returncode % 256,
          native % 256 if native >= 0 else 128 - native)
    nothing_left("truncated")
refused("script that is its own interpreter", begin(make("loop", f"#!{DIR}/loop\n".encode())), 126,
        "./loop: Too many levels of symbolic links")
refused("directory as interpreter", begin(make("dir", f"#!{DIR}\n".encode())), 126, "./dir: Permission denied")
with socket.create_server(("127.0.0.1", 0)) as taken:
    port = taken.getsockname()[1]
    refused("taken port", begin("--publish", f"{port}:80", "true"), 125,
            f"--publish 127.0.0.1:{port}: Address already in use")
ends("log on a full disk", begin("-o", "/dev/full", "true"), 0, "-o /dev/full: No space left on device")


def on_small_disk(script):
    """Runs a shell script, $0 being starryrun, in a file system of 64 KiB; None if none can be mounted."""
    os.makedirs("disk", exist_ok=True)
    mount = f"mount -t tmpfs -o size=64k,mode=777 starry-test disk && cd disk && "
    unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-Urm"]
    try:
        if subprocess.run([*unshare, "sh", "-c", mount + "true"], stderr=subprocess.DEVNULL).returncode != 0:
            raise OSError
    except OSError:
        print("a file system cannot be mounted here: not tested")
        return None
    return start(*unshare[1:], "sh", "-c", mount + script, STARRYRUN, program=unshare[0], stdout=subprocess.PIPE,
                 stderr=subprocess.PIPE, text=True)


if p := on_small_disk('mount -o remount,bind,ro . && exec "$0" --upper up true'):
    refused("upper layer on a read-only disk", p, 125, "--upper up: Read-only file system")
if p := on_small_disk('dd if=/dev/zero of=fill bs=4k 2>/dev/null; exec "$0" --upper up true'):
    refused("upper layer on a full disk", p, 125, ".*: No space left on device")
if p := on_small_disk('exec "$0" -q --upper up sh -c "dd if=/dev/zero of=/tmp/big bs=4k 2>&1 | grep -o \'No space.*\'"'):
    ends("disk that fills up: the guest is told", p, 0, None, "No space left on device\n")

# --- runs that are ended ---

WAITING = "sleep 100 & trap '' INT; sleep 100; sleep 100"


class Guest:
    """A shell that has written a file and closed it, and then runs a script."""

    def __init__(self, script, *options, **more):
        self.work = tempfile.mkdtemp(dir=DIR)
        os.chmod(self.work, 0o777)
        self.process = begin("--upper", self.work + "/up", *options, "sh", "-c", "echo kept >kept; echo up; " + script,
                             cwd=self.work, **more)
        check("starts", self.process.stdout.readline(), "up\n")

    def processes(self, name):
        return [p for p in children(self.process.pid) if maps(p, name)]

    def kill(self, name):
        """Ends the host's processes of guests that have a file of this name mapped."""
        for pid in self.processes(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def ends(self, what, *expected):
        ends(what, self.process, *expected)
        try:
            with open(f"{self.work}/up/upper{self.work}/kept") as f:
                check(what + ": what was written stays", f.read(), "kept\n")
        except OSError as e:
            check(what + ": what was written stays", e, None)


g = Guest(WAITING, "--name", "twice")
second = run("--name", "twice", "true")
check("name in use", (second.returncode, second.stderr), (125, b"starryrun: an instance named 'twice' is running already\n"))
g.process.terminate()
g.ends("SIGTERM", 143, "sh was ended by SIGTERM")
g = Guest("trap 'echo bye; exit 9' TERM; echo trapped; while :; do sleep 0.1; done")
g.process.stdout.readline()
g.process.terminate()
g.ends("SIGTERM caught by the guest", 9, None, "bye\n")
g = Guest("trap '' INT; echo trapped; sleep 100; sleep 100")
g.process.stdout.readline()
g.process.send_signal(signal.SIGINT)
time.sleep(0.3)
check("SIGINT is the guest's to ignore", g.process.poll(), None)
g.process.send_signal(signal.SIGINT)
g.ends("SIGINT twice", 137, "interrupted twice: killing all processes")

if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
    print("the host does not tell the children of a process: the rest is not tested")
    finish()
g = Guest(WAITING)
while g.process.poll() is None:  # all but the processes kept ready for the next execve(2)
    g.kill("/usr/")
    time.sleep(0.01)
g.ends("kill -9 of all guest processes", 137, r"sh\[\d+\]: its process on the host was killed")
g = Guest("sleep 100; echo $?; echo goes on")
wait_for("a child", lambda: g.processes("/sleep"))
g.kill("/sleep")
g.ends("kill -9 of a child's process", 0, r"sleep\[\d+\]: its process on the host was killed", "137\ngoes on\n")
g = Guest("read line; sleep 0; echo $?", stdin=subprocess.PIPE)
for pid in set(children(g.process.pid)) - set(g.processes("/usr/")):
    os.kill(pid, signal.SIGKILL)
time.sleep(0.5)
g.process.stdin.write("go\n")
g.ends("kill -9 of spare processes", 0, None, "0\n")
g = Guest(WAITING)
g.process.kill()
g.ends("kill -9 of starryrun", -signal.SIGKILL, None)
finish()
