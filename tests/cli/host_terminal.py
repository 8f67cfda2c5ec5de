#!/usr/bin/env python3
"""host_terminal.py STARRYRUN: the host's terminal as the guest's: keys, signals, size, and the modes given
back in whatever way it ends."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403


class Terminal:
    """A pseudo-terminal with `sh` of the host on it, which starts what it is told."""

    def __init__(self):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "+o", "emacs"], dict(ENV, PS1="", TERM="dumb"))
        self.size(24, 80)
        self.pending = b""
        self.type(b"echo up''$((1 + 1))\n")
        self.until(b"up2\r\n")

    def size(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.fd, keys)

    def until(self, text, seconds=30):
        end = time.monotonic() + seconds
        while text not in self.pending:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                check("terminal shows " + repr(text), self.pending[-300:], None)
                return b""
            try:
                self.pending += os.read(self.fd, 4096)
            except OSError:
                check("terminal shows " + repr(text), self.pending[-300:], None)
                return b""
        before, self.pending = self.pending.split(text, 1)
        return before

    def modes(self):
        return termios.tcgetattr(self.fd)[:4]

    def is_raw(self):
        return not termios.tcgetattr(self.fd)[3] & termios.ICANON

    def ended(self, why):
        """Waits for the modes that the shell had. What is typed before belongs to the guest."""
        wait_for(why + ": modes are back", lambda: self.modes() == fresh)

    def shell(self, command):
        """Runs a command of the shell; its output, with the marker of the end and status cut off."""
        self.type(command.encode() + b"; echo \"<\"$?\">\"\n")
        self.until(b"\n")  # the echo of the command
        return self.until(b">\r\n")


def child_of(pid, name):
    out = subprocess.run(["ps", "--ppid", str(pid), "-o", "pid=,comm="], stdout=subprocess.PIPE).stdout.decode()
    return [int(line.split()[0]) for line in out.splitlines() if line.split()[1].startswith(name)]


t = Terminal()
fresh = t.modes()
check("output", t.shell(STARRYRUN + " -q echo hello"), b"hello\r\n<0")
check("the guest's terminal", t.shell(STARRYRUN + " -q sh -c 'tty; stty size; test -t 0 -a -t 1 -a -t 2'"),
      b"/dev/pts/0\r\n24 80\r\n<0")
check("modes of the guest are not left", (t.shell(STARRYRUN + " -q sh -c 'stty raw -echo; stty -g > modes'"), t.modes()),
      (b"<0", fresh))

t.type(STARRYRUN.encode() + b" -q cat\n")
t.until(b"cat\r\n")
wait_for("raw mode", t.is_raw)
t.type(b"helXX\x7f\x7flo\n")
check("line editing by the guest", t.until(b"hello\r\n"), b"helXX\b \b\b \blo\r\n")
t.type(b"\x04")
t.ended("Ctrl-D")
check("its status", t.shell("echo $?"), b"0\r\n<0")

t.type(STARRYRUN.encode() + b" -q sh -c \"trap 'stty size' WINCH; trap 'echo int; exit 7' INT; echo ready; while :; do sleep 0.1; done\"\n")
t.until(b"\nready\r\n")
t.size(33, 77)
t.until(b"33 77\r\n")
t.type(b"\x03")
t.until(b"int\r\n")
t.ended("Ctrl-C")
check("its status", t.shell("echo $?"), b"7\r\n<0")

# Others use the terminal as well: it stays as it is.
check("in a pipeline", t.shell(STARRYRUN + " -q echo one | cat"), b"one\r\n<0")
check("output only", t.shell("echo piped | " + STARRYRUN + " -q sh -c 'cat; stty size <&1'"), b"piped\r\n33 77\r\n<0")
t.type(STARRYRUN.encode() + b" -q sh -c 'echo ready >&2; exec sleep 100' | cat\n")
t.until(b"\nready\r\n")
check("no raw mode beside another program", t.is_raw(), False)
t.type(b"\x03")
check("the host's Ctrl-C", t.shell("echo ${PIPESTATUS[0]}"), lambda s: b"130\r\n" in s)
check("in the background", t.shell(STARRYRUN + " -q echo from behind & wait"), lambda s: b"from behind\r\n" in s)

# Violence.
for signo, name in ((signal.SIGTERM, "SIGTERM"), (signal.SIGKILL, "SIGKILL")):
    t.type(STARRYRUN.encode() + b" -q sh -c 'echo ready; exec cat'\n")
    t.until(b"\nready\r\n")
    wait_for("raw mode", t.is_raw)
    for p in child_of(t.pid, "starryrun"):
        os.kill(p, signo)
    t.ended(name)
    t.shell("true")

# starryctl exec on the terminal.
instance = start("-q", "--name", "one", "sh", "-c", "echo ready; exec sleep 100", stdout=subprocess.PIPE)
instance.stdout.readline()
t.type(STARRYCTL.encode() + b" exec one sh\n")
t.until(b"exec one sh\r\n")
wait_for("raw mode for exec", t.is_raw)
t.type(b"tty; stty size; echo en''d\n")
check("exec: a terminal", t.until(b"\nend\r\n"), lambda s: b"/dev/pts/" in s and b"33 77" in s)
t.size(20, 60)
time.sleep(0.5)
t.type(b"stty size\n")
t.until(b"20 60\r\n")
t.type(b"sleep 100\n")
t.until(b"sleep 100\r\n")
time.sleep(0.5)
t.type(b"\x03")
t.type(b"echo st''atus $?\n")
check("exec: Ctrl-C", t.until(b"status 130\r\n"), lambda s: True)
t.type(b"exit 6\n")
t.ended("exec: exit")
check("exec: status", t.shell("echo $?"), lambda s: s.endswith(b"6\r\n<0"))
t.type(STARRYCTL.encode() + b" exec one sh -c 'echo ready; trap \"echo gone > gone\" HUP; cat; cat'\n")
t.until(b"\nready\r\n")
wait_for("raw mode for exec", t.is_raw)
for p in child_of(t.pid, "starryctl"):
    os.kill(p, signal.SIGKILL)
t.ended("exec: SIGKILL")
wait_for("exec: its terminal hangs up", lambda: ctl("exec", "one", "cat", "gone").stdout == b"gone\n")
instance.terminate()
check("the instance", instance.wait(30), 143)
t.type(b"exit\n")
finish()
