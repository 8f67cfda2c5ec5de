# python3 subprocess, os.fork, os.exec and os.posix_spawn: pipes, statuses, groups, environments, time-outs.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
exec python3 -u - <<'PY'
import os, signal, subprocess as sp, sys, threading

print(sp.run(["echo", "hello"], capture_output=True, text=True).stdout.strip())
r = sp.run("cat; echo err >&2; exit 3", shell=True, input=b"x" * 300000, capture_output=True)
print(r.returncode, len(r.stdout), r.stderr)
a = sp.Popen(["seq", "1", "1000"], stdout=sp.PIPE)
b = sp.Popen(["grep", "99"], stdin=a.stdout, stdout=sp.PIPE, text=True)
a.stdout.close()
print(len(b.communicate()[0].split()), a.wait(), b.returncode)
try:
    sp.run(["/nosuch/program"])
except FileNotFoundError as e:
    print("missing", e.errno)
try:
    sp.run(["/etc/passwd"])
except PermissionError as e:
    print("not executable", e.errno)
try:
    sp.run(["sleep", "20"], timeout=0.1)
except sp.TimeoutExpired:
    print("timed out")
p = sp.Popen(["sleep", "20"])
p.terminate()
print("terminated", p.wait())
p = sp.Popen(["sleep", "20"], start_new_session=True)
print("own session", os.getsid(p.pid) == p.pid, os.getpgid(p.pid) == p.pid)
os.killpg(p.pid, signal.SIGKILL)
print("killed", p.wait())
print(sp.check_output(["pwd"], cwd="/usr/bin", text=True).strip(), sp.check_output(["env"], env={"A": "1"}))
r, w = os.pipe()
p = sp.Popen(["sh", "-c", f"echo through {'x'} >&{w}"], pass_fds=[w])
os.close(w)
print(os.read(r, 100), p.wait(), os.read(r, 1))
os.close(r)
print(sp.run(["sh", "-c", "ls /proc/self/fd | wc -l"], capture_output=True, text=True, close_fds=True).stdout.strip())
print("preexec", sp.run(["sh", "-c", "umask"], preexec_fn=lambda: os.umask(0o27), capture_output=True, text=True).stdout.strip())
print(sp.run(["sh", "-c", "kill -SEGV $$"]).returncode)

pid = os.fork()
if pid == 0:
    os._exit(42)
print("fork", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], os.environ,
                     file_actions=[(os.POSIX_SPAWN_OPEN, 5, "/dev/null", os.O_RDONLY, 0)], setsigdef=[signal.SIGPIPE])
print("spawn", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.dup2(w, 1)
    os.execve("/bin/sh", ["sh", "-c", "echo $X"], {"X": "exec'd"})
os.close(w)
print(os.fdopen(r).read().strip(), os.wait()[1])
out = [None] * 8
def one(i):
    out[i] = sp.run(["sh", "-c", f"exit {i}"]).returncode
ts = [threading.Thread(target=one, args=(i,)) for i in range(8)]
[t.start() for t in ts]
[t.join() for t in ts]
print("from threads", out)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError as e:
    print("no child left", e.errno)
f = os.popen("echo popen; exit 2")
print(f.read().strip(), f.close(), os.system("exit 5") >> 8)
PY
