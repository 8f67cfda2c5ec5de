#!/usr/bin/env python3
"""guest_only.py STARRYRUN: what a native run by an ordinary user cannot show, or another kernel's configuration
decides: a port below 1024 by the default profile's CAP_NET_BIND_SERVICE, pid 1, root's ids and capabilities, who may
have which real-time priority, the size of the CPU mask, named memory, refused calls, core files."""
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
# Where the route to multicast leads on another machine is its own affair.
MULTICAST = """
import socket, struct
udp = lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s, c = udp(), udp()
s.settimeout(5); s.bind(('', 0))
mreq = socket.inet_aton('239.1.2.3') + socket.inet_aton('0.0.0.0')
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq)
c.sendto(b'hello', ('239.1.2.3', s.getsockname()[1]))
data, peer = s.recvfrom(9)
print(data.decode(), peer[0], open('/proc/net/route').read().split()[11:14])
"""
check("multicast goes by lo", python(MULTICAST), "hello 127.0.0.1 ['lo', '000000E0', '00000000']")
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
# As a kernel without them: CONFIG_IO_URING, CONFIG_AIO, CONFIG_KEYS, CONFIG_FANOTIFY, CONFIG_SECURITY_LANDLOCK, ...
for name, call in (("io_uring_setup", "425, 8, 0"), ("io_uring_enter", "426, 3, 1, 1, 0, 0, 0"), ("io_uring_register", "427, 3, 0, 0, 0"),
                   ("io_setup", "206, 8, 0"), ("io_destroy", "207, 0"), ("io_getevents", "208, 0, 0, 0, 0, 0"), ("io_submit", "209, 0, 0, 0"),
                   ("io_cancel", "210, 0, 0, 0"), ("io_pgetevents", "333, 0, 0, 0, 0, 0, 0"), ("add_key", "248, 0, 0, 0, 0, 0"),
                   ("request_key", "249, 0, 0, 0, 0"), ("keyctl", "250, 0, 0, 0, 0, 0"), ("fanotify_init", "300, 0, 0"),
                   ("perf_event_open", "298, 0, 0, 0, 0, 0"), ("bpf", "321, 0, 0, 0"),
                   ("landlock_create_ruleset", "444, 0, 0, 1")):
    check(f"{name} is refused", python(CALL.format(call)), "-1 38")

# credentials(7), setuid(2), capabilities(7) ("Effect of user ID changes on capabilities").
IDS = """
import ctypes, errno, os
c = ctypes.CDLL(None, use_errno=True)
def call(fn, *args):
    try: fn(*args); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
def caps(): return [l.split()[1].lstrip('0') != '' for l in open('/proc/self/status') if l.startswith(('CapPrm', 'CapEff'))]
os.chdir('/tmp'); open('secret', 'w').close(); os.chmod('secret', 0o600)
print(os.getresuid(), os.getresgid(), caps())
os.seteuid(1000)
print(os.getresuid(), caps(), call(open, 'secret'), call(os.setgroups, [5]))
os.seteuid(0)
print(caps(), call(open, 'secret'), call(os.setgroups, [5, 7]), os.getgroups())
os.setresgid(10, 20, 30)
print(os.getresgid(), call(os.chown, 'secret', 3, 4), os.stat('secret').st_uid, os.stat('secret').st_gid, call(open, 'secret'))
c.setfsuid(1000)
print(call(open, 'secret'), c.setfsuid(0))
os.setresuid(-1, 1000, 1001)
print(os.getresuid(), caps(), call(os.seteuid, 5), call(os.seteuid, 1001), os.getresuid())
os.seteuid(0)
os.setuid(1000)
print(os.getresuid(), caps(), call(os.setuid, 0), call(os.seteuid, 0), call(os.setgid, 0), call(os.setgid, 30), os.getresgid())
"""
check("ids of root", python(IDS, "--user", "0").splitlines(), [
    "(0, 0, 0) (0, 0, 0) [True, True]", "(0, 1000, 0) [True, False] EACCES EPERM", "[True, True] ok ok [5, 7]",
    "(10, 20, 30) ok 3 4 ok", "EACCES 1000", "(0, 1000, 1001) [True, False] EPERM ok (0, 1001, 1001)",
    "(1000, 1000, 1000) [False, False] EPERM EPERM EPERM ok (10, 30, 30)"])

# sched(7), "Privileges and resource limits"; RLIMIT_RTPRIO is 99 by default here.
RTPRIO = """
import errno, os, resource
def fifo(prio, policy=os.SCHED_FIFO):
    try: os.sched_setscheduler(0, policy, os.sched_param(prio)); return 'ok'
    except OSError as e: return errno.errorcode[e.errno]
print(resource.getrlimit(14), fifo(99), os.sched_getscheduler(0), os.sched_getparam(0).sched_priority)
resource.setrlimit(14, (10, 10))
print(fifo(50), fifo(98), fifo(99), fifo(10), fifo(11), fifo(5), fifo(10))
resource.setrlimit(14, (0, 10))
print(fifo(10), fifo(7), fifo(8), fifo(3, os.SCHED_RR), fifo(0, os.SCHED_OTHER), fifo(1))
"""
check("real-time priorities by RLIMIT_RTPRIO", python(RTPRIO).splitlines(),
      ["(99, 99) ok 1 99", "ok EPERM EPERM ok EPERM ok ok", "ok ok EPERM EPERM ok EPERM"])
check("and by CAP_SYS_NICE", python(RTPRIO, "--user", "0").splitlines(), ["(99, 99) ok 1 99", " ".join(["ok"] * 7), " ".join(["ok"] * 6)])

NAMED = """
import ctypes, mmap
c = ctypes.CDLL(None)
m = mmap.mmap(-1, 8192, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.addressof(ctypes.c_char.from_buffer(m))
def name(size, text): return c.prctl(0x53564d41, 0, ctypes.c_ulong(at), ctypes.c_ulong(size), text)
def shown(): return [l.split(None, 5)[5].strip() for l in open('/proc/self/maps') if l.startswith(('%x-' % at, '%x-' % (at + 4096))) and len(l.split()) > 5]
print(name(8192, b'a name'), shown(), name(4096, b'first'), shown(), name(8192, None), shown(), name(4096, b'bad[name'))
"""
check("PR_SET_VMA_ANON_NAME", python(NAMED), "0 ['[anon:a name]'] 0 ['[anon:first]', '[anon:a name]'] 0 [] -1")
check("memory policy", python("import ctypes; c = ctypes.CDLL(None); m = ctypes.c_int(7); n = ctypes.c_ulong(1);"
                              " print(c.syscall(238, 1, ctypes.byref(n), 64), c.syscall(239, ctypes.byref(m), 0, 0, 0, 0), m.value,"
                              " c.syscall(238, 99, 0, 0))"), "0 0 1 -1")

CRASH = "cd /tmp; ulimit -c unlimited; sh -c 'kill -SEGV $$'; echo $?; stat -c '%a %s' core | awk '{ print $1, ($2 > 10000) }'"
check("a core file", guest(CRASH).splitlines()[-2:], ["139", "600 1"])
finish()
