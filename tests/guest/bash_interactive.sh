# An interactive bash on a terminal: prompt, line editing, history, Ctrl-C, Ctrl-D, Ctrl-Z, fg, stty, window size.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
exec python3 -u - <<'PY'
import fcntl, os, pty, select, struct, sys, termios, time

PROMPT = b"@prompt "

def size(rows, cols, tty):
    fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

pid, fd = pty.fork()
if pid == 0:
    size(24, 150, 0)
    env = {"PATH": os.environ["PATH"], "TERM": "dumb", "PS1": PROMPT.decode(), "LC_ALL": "C", "HISTFILE": "", "HOME": "/tmp",
           "INPUTRC": "/dev/null"}
    os.execve("/bin/bash", ["bash", "--norc", "--noprofile", "-i"], env)

pending = b""

def until(what):
    """All output up to and with `what`."""
    global pending
    end = time.monotonic() + 15
    while what not in pending:
        if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
            sys.exit(f"no {what!r} after {pending!r}")
        try:
            pending += os.read(fd, 4096)
        except OSError:  # EIO: the last one to hold the terminal has gone
            pending += b"<end>"
    at = pending.index(what) + len(what)
    got, pending = pending[:at], pending[at:]
    return got

def screen(got):
    """What the output looks like on a screen: how readline groups its updates depends on timing."""
    lines = []
    for raw in got.replace(PROMPT, b"").decode(errors="replace").split("\n"):
        line, at = [], 0
        for c in raw:
            if c == "\r":
                at = 0
            elif c == "\b":
                at -= 1
            elif c != "\a":
                line[at:at + 1] = c
                at += 1
        lines.append("".join(line).rstrip())
    return [l for l in lines if l]

def show(title, got):
    print(f"[{title}]", *map(repr, screen(got)))

def step(title, keys, what=PROMPT):
    os.write(fd, keys)
    show(title, until(what))

def at_rest():
    """Waits until the shell waits for keys: readline looks at a signal that comes just before only with the next key."""
    seen = 0
    while seen < 4:
        time.sleep(0.02)
        with open(f"/proc/{pid}/stat") as f:
            seen = seen + 1 if f.read().rpartition(")")[2].split()[0] == "S" else 0

def start(command):
    """Runs a command that prints "ready" when the keys are for it."""
    os.write(fd, command + b"\r")
    until(b"\nready\r\n")

until(PROMPT)
step("echo", b"echo hello\r")
step("tty", b"[[ $(tty) = /dev/pts/* ]] && test -t 0 -a -t 1 -a -t 2 && echo on a terminal\r")
step("session", b"read -r _ _ _ _ pgrp sid _ tpgid _ </proc/$$/stat; echo $((pgrp == $$)) $((sid == $$)) $((tpgid == $$))\r")
step("erase", b"echo wrpng\x7f\x7f\x7fong\r")
step("kill line", b"garbage\x15echo clean\r")
step("move", b"cho start\x01e\x05ed\r")
step("history", b"\x1b[A\x1b[A\r")
os.write(fd, b"echo never")
until(b"never")
at_rest()
step("interrupted line", b"\x03")
step("literal", b"echo a\x16\x09b | od -An -c\r")
step("tab", b"echo /etc/passw\t\r")
start(b"sh -c 'echo ready; exec sleep 30'; echo not reached")
step("Ctrl-C", b"\x03")
step("status", b"echo $?\r")
start(b"sh -c 'trap \"echo got int; exit 4\" INT; echo ready; while :; do sleep 0.05; done'")
step("Ctrl-C trapped", b"\x03")
step("status", b"echo $?\r")
start(b"sh -c 'trap \"\" INT; echo ready; read x; echo got $x'")
step("Ctrl-C ignored", b"\x03x\r")
start(b"sh -c 'ulimit -c 0; echo ready; exec sleep 30'")
step("Ctrl-backslash", b"\x1c")
start(b"sh -c 'echo ready; kill -STOP $$; echo resumed; exec sleep 30'")
show("stopped", until(PROMPT))
step("fg", b"fg\r", b"resumed\r\n")
step("Ctrl-Z", b"\x1a")
step("jobs", b"jobs\r")
step("bg", b"bg\r")
step("kill", b"kill %1; wait %1 2>/dev/null; echo $?\r")
start(b"echo ready; cat")
step("cooked echo", b"abx\x7fc\r", b"abc\r\n")
step("Ctrl-D", b"\x04")
os.write(fd, b"(cat; echo done) & while ! jobs | grep -q Stop[p]ed; do sleep 0.05; done\r")
until(b"\r\n")
until(b"\n")  # number and pid
show("background read", until(PROMPT))
step("fg", b"fg\r", b"( cat; echo done )")
until(b"\n")
step("now it reads", b"text\r", b"text\r\ntext\r\n")
step("Ctrl-D", b"\x04")
step("stty", b"stty size; stty -echo; stty -a | grep -o -e '-\\?echo ' -e 'intr = [^;]*' -e '-\\?icanon' -e '-\\?onlcr'; stty echo\r")
start(b"stty -icanon -echo min 3 time 0; echo ready; dd bs=10 count=1 2>/dev/null; stty icanon echo")
step("raw read", b"xyz")
start(b"sh -c 'echo ready; read x; stty size'; echo $LINES $COLUMNS")
size(40, 132, fd)
step("window size", b"\r")
start(b"sh -c 'trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 0.05; done'")
size(50, 100, fd)
show("SIGWINCH", until(PROMPT))
os.write(fd, b"seq 1 20000 | tee sum; md5sum <sum\r")
show("much output", until(PROMPT)[-60:])
step("exit", b"exit 6\r", b"<end>")
print("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
