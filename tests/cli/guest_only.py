#!/usr/bin/env python3
"""guest_only.py STARRYRUN: what a native run by an ordinary user cannot show: a port below 1024 by the default
profile's CAP_NET_BIND_SERVICE, pid 1, the size of the CPU mask, refused calls, core files named by the kernel."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import check, finish, run

PYTHON = "/usr/bin/python3"


def guest(script, *options):
    p = run("-q", *options, "bash", "-c", script, timeout=60)
    return p.stdout.decode(errors="replace").strip()


def python(script, *options):
    p = run("-q", *options, PYTHON, "-c", script, timeout=60)
    return (p.stdout + p.stderr).decode(errors="replace").strip()


SERVER = """
import os, socket
s = socket.socket(socket.AF_INET6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', 554)); s.listen(1024)
c = socket.create_connection(('127.0.0.1', 554))
print(os.getuid(), os.getgid(), s.accept()[1][0])
"""
check("identity, and port 554 for IPv4 and IPv6", python(SERVER), "1000 1000 ::ffff:127.0.0.1")
check("root by --user", guest("id -u; id -g", "--user", "0").split(), ["0", "0"])

check("pid 1 in /proc", guest("cut -d' ' -f1-4 /proc/1/stat; grep -E '^(Name|Uid|Threads)' /proc/1/status | tr '\\n' ' '; ls /proc/1/task"),
      "1 (init) S 0\nName:\tinit Uid:\t0\t0\t0\t0 Threads:\t1 1")
check("pid 1 may not be signalled", guest("kill -0 1 2>&1 | grep -c 'not permitted'"), "1")
check("pid 1 belongs to root", guest("ls /proc/1/fd 2>&1 | grep -c 'ermission denied'"), "1")
PIDFD = """
import errno, os, select, signal
fd = os.pidfd_open(1)
p = select.poll(); p.register(fd, select.POLLIN)
def call(fn):
    try: fn(); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
print(len(p.poll(0)), call(lambda: signal.pidfd_send_signal(fd, 0)),
      call(lambda: signal.pidfd_send_signal(os.open('/proc/1', os.O_RDONLY), signal.SIGTERM)))
"""
check("a pidfd of pid 1", python(PIDFD), "0 EPERM EPERM")
check("orphans go to pid 1", guest("(sh -c 'sleep 0.2; cut -d\" \" -f4 /proc/$$/stat; exec 1>&-' &) ; sleep 1"), "1")

MASK = ("import ctypes; c = ctypes.CDLL(None); b = ctypes.create_string_buffer(512);"
        " print(c.syscall(204, 0, 512, b), c.syscall(204, 0, 8, b), open('/sys/devices/system/cpu/kernel_max').read())")
check("size of the CPU mask", python(MASK).split(), ["32", "8", "255"])
check("size of the CPU mask, many CPUs", python(MASK, "--cpus", "300").split(), ["128", "-1", "1023"])

CALL = "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.syscall({}), ctypes.get_errno())"
for name, call in (("io_uring_setup", "425, 8, 0"), ("io_uring_enter", "426, 3, 1, 1, 0, 0, 0"),
                   ("io_uring_register", "427, 3, 0, 0, 0")):
    check(f"{name} is refused", python(CALL.format(call)), "-1 38")
check("memory policy", python("import ctypes; c = ctypes.CDLL(None); m = ctypes.c_int(7); n = ctypes.c_ulong(1);"
                              " print(c.syscall(238, 1, ctypes.byref(n), 64), c.syscall(239, ctypes.byref(m), 0, 0, 0, 0), m.value,"
                              " c.syscall(238, 99, 0, 0))"), "0 0 1 -1")

CRASH = "cd /tmp; ulimit -c unlimited; sh -c 'kill -SEGV $$'; echo $?; stat -c '%a %s' core | awk '{ print $1, ($2 > 10000) }'"
check("a core file", guest(CRASH).splitlines()[-2:], ["139", "600 1"])
finish()
