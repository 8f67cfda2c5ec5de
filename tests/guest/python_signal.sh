# python3 signals: handlers, masks, sigwait, wake-up descriptor, timers, EINTR and retry, faulthandler, children.
PATH=/usr/bin:/bin
command -v python3 >/dev/null || { echo "SKIPPED: no python3"; exit 77; }
exec python3 -u - <<'PY'
import faulthandler, os, resource, signal, socket, subprocess, sys, threading, time
S = signal

seen = []
S.signal(S.SIGUSR1, lambda n, f: seen.append(n))
for _ in range(3):
    os.kill(os.getpid(), S.SIGUSR1)
print("handled", seen)
S.pthread_sigmask(S.SIG_BLOCK, [S.SIGUSR1, S.SIGUSR2])
for _ in range(3):
    os.kill(os.getpid(), S.SIGUSR1)
print("pending", S.SIGUSR1 in S.sigpending(), len(seen))
S.pthread_sigmask(S.SIG_UNBLOCK, [S.SIGUSR1])
print("delivered once", len(seen))
threading.Timer(0.05, os.kill, (os.getpid(), S.SIGUSR2)).start()
print("sigwait", S.sigwait([S.SIGUSR2]) == S.SIGUSR2)
i = os.getpid()
os.kill(i, S.SIGUSR2)
info = S.sigwaitinfo([S.SIGUSR2])
print("info", info.si_signo == S.SIGUSR2, info.si_pid == i, info.si_uid == os.getuid(), info.si_code)
print("timed out", S.sigtimedwait([S.SIGUSR2], 0.05))
S.pthread_sigmask(S.SIG_UNBLOCK, [S.SIGUSR2])
S.signal(S.SIGALRM, lambda n, f: seen.append("alarm"))
S.setitimer(S.ITIMER_REAL, 0.05)
t = time.monotonic()
time.sleep(0.15)  # continues after the handler
print("sleep goes on", seen[-1], time.monotonic() - t >= 0.15)
S.signal(S.SIGALRM, lambda n, f: 1 / 0)
r, w = os.pipe()
S.setitimer(S.ITIMER_REAL, 0.05)
try:
    os.read(r, 1)
except ZeroDivisionError:
    print("read interrupted")
ticks = []
S.signal(S.SIGVTALRM, lambda n, f: ticks.append(n))
S.setitimer(S.ITIMER_VIRTUAL, 0.01, 0.01)
while len(ticks) < 5:
    pass
S.setitimer(S.ITIMER_VIRTUAL, 0)
print("virtual timer", len(ticks) >= 5)
a, b = socket.socketpair()
a.setblocking(False)
S.set_wakeup_fd(a.fileno())
os.kill(os.getpid(), S.SIGUSR1)
print("wake-up byte", b.recv(10))
S.set_wakeup_fd(-1)
print("thread target", (lambda t: (t.start(), S.pthread_kill(t.ident, S.SIGUSR1), t.join(), len(seen)))(threading.Thread(target=time.sleep, args=(0.1,)))[3])
S.signal(S.SIGCHLD, lambda n, f: seen.append("child"))
subprocess.run(["true"])
print("child", seen[-1])
S.signal(S.SIGCHLD, S.SIG_IGN)
pid = os.fork()
if pid == 0:
    os._exit(0)
try:
    os.waitpid(pid, 0)
except ChildProcessError:
    print("reaped by itself")
S.signal(S.SIGCHLD, S.SIG_DFL)
go, may_end = os.pipe()
pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), S.SIGSTOP)
    os.read(go, 1)
    os._exit(3)
_, st = os.waitpid(pid, os.WUNTRACED)
print("stopped", os.WIFSTOPPED(st), os.WSTOPSIG(st))
os.kill(pid, S.SIGCONT)
print("continued", os.WIFCONTINUED(os.waitpid(pid, os.WCONTINUED)[1]))
os.write(may_end, b".")
print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
for sig in (S.SIGTERM, S.SIGSEGV, S.SIGRTMIN + 3):
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        S.signal(sig, S.SIG_DFL)
        os.kill(os.getpid(), sig)
        os._exit(0)
    print("killed by", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
r = subprocess.run([sys.executable, "-X", "faulthandler", "-c", "import ctypes; ctypes.string_at(0)"], capture_output=True, text=True,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
print("fault", r.returncode, r.stderr.splitlines()[0])
r = subprocess.run([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGINT)"], capture_output=True, text=True)
print("interrupt", r.returncode, r.stderr.splitlines()[-1])
fd = os.pidfd_open(os.getpid())
S.pidfd_send_signal(fd, S.SIGUSR1)
print("pidfd", len(seen))
PY
