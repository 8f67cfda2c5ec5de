#!/usr/bin/env python3
"""system_tools.py STARRYRUN: ps, top, free, uptime, lscpu, df, mount, ss and lsof work in a guest with 20 CPUs
and tell the truth about it; strace and gdb work there too."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import check, finish, run

CPUS = 20
MEMORY_KIB = 3 << 20


def guest(script, *options):
    p = run("-q", "--cpus", str(CPUS), "--memory", "3G", *options, "bash", "-c", script, timeout=120)
    return p.stdout.decode(errors="replace")


def have(tool):
    if shutil.which(tool):
        return True
    print(f"SKIPPED: no {tool} here")
    return False


check("nproc", guest("nproc").strip(), str(CPUS))
check("sysconf", guest("getconf _NPROCESSORS_CONF; getconf _NPROCESSORS_ONLN").split(), [str(CPUS)] * 2)
check("cpus of /proc and /sys", guest(
    "grep -c ^processor /proc/cpuinfo; grep -c '^cpu[0-9]' /proc/stat; ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l;"
    " cat /sys/devices/system/cpu/online /sys/devices/system/cpu/possible").split(),
    [str(CPUS)] * 3 + [f"0-{CPUS - 1}"] * 2)
check("a thread on each CPU", guest(f"for i in $(seq 0 {CPUS - 1}); do taskset -c $i sh -c 'cut -d\" \" -f39 /proc/self/stat';"
                                    " done").split(), [str(i) for i in range(CPUS)])

if have("ps"):
    out = guest("sleep 1000 & echo $!; ps aux; kill $!")
    pid = out.split()[0]
    line = [x.split(None, 10) for x in out.splitlines() if x.rstrip().endswith("sleep 1000")]
    check("ps aux: the sleeping child", [(x[1], x[7][0]) for x in line], [(pid, "S")])
    check("ps: tree of parents", guest("ps -o pid=,ppid=,comm= | grep -w ps").split()[1:3:1],
          lambda x: len(x) == 2 and x[1] == "ps")
if have("top"):
    out = guest("top -b -n1")
    tasks = re.search(r"Tasks:\s+(\d+) total", out)
    rows = re.findall(r"^\s*\d+ \S+\s+\d+\s+\d+\s+\d+\s+\d+\s+\d+ [RSDTZ]\s.*$", out, re.M)
    check("top: as many rows as tasks", len(rows), int(tasks[1]) if tasks else None)
    check("top lists itself", any(r.endswith("top") for r in (x.rstrip() for x in rows)), True)
if have("free"):
    check("free: total memory", [int(x.split()[1]) for x in guest("free").splitlines() if x.startswith("Mem:")], [MEMORY_KIB])
if have("uptime"):
    check("uptime", guest("uptime"), lambda s: re.search(r"up .*load average: \d+\.\d\d, \d+\.\d\d, \d+\.\d\d", s))
if have("lscpu"):
    check("lscpu", re.search(r"^CPU\(s\):\s+(\d+)$", guest("lscpu"), re.M)[1], str(CPUS))
if have("df"):
    out = guest("head -c 5000000 /dev/zero >/dev/shm/x; df -k /dev/shm | tail -1").split()
    check("df: used space of a tmpfs", int(out[2]), lambda kib: 4880 <= kib <= 4890)
if have("mount"):
    out = guest("mount")
    for place, fs in (("/", "overlay"), ("/proc", "proc"), ("/sys", "sysfs"), ("/dev/shm", "tmpfs")):
        check(f"mount: {place}", f" on {place} type {fs} (" in out, True)
LISTEN = ("exec 3< <(exec python3 -c \"import socket, sys, time; s = socket.create_server(('127.0.0.1', 7654));"
          " print('up', flush=True); time.sleep(1000)\"); server=$!; read up <&3; ")
if have("ss"):
    check("ss -tln: the listener", "127.0.0.1:7654" in guest(LISTEN + "ss -tln; kill $server"), True)
if have("lsof"):
    out = guest("exec 9>/tmp/kept_open; lsof -p $$ 2>/dev/null")
    check("lsof: an open file", [x.split()[3] for x in out.splitlines() if x.endswith("/tmp/kept_open")], ["9w"])

if have("strace"):
    out = guest("strace -f -o /tmp/log true; echo status $?; cat /tmp/log")
    check("strace -f true: status", "status 0" in out, True)
    check("strace -f true: first and last call", bool(re.search(r'^\d+ +execve\("\S*/true"', out, re.M)) and
          bool(re.search(r"^\d+ +exit_group\(0\)", out, re.M)) and "+++ exited with 0 +++" in out, True)
    out = guest("strace -f -o /tmp/log sh -c 'sh -c \"exit 3\"; exit 4'; echo status $?; cat /tmp/log")
    check("strace -f: children", ("status 4" in out, "+++ exited with 3 +++" in out, "+++ exited with 4 +++" in out),
          (True, True, True))
    out = guest("strace -f -c -o /tmp/log python3 -c 'import threading; t = threading.Thread(target=print, args=(1,));"
                " t.start(); t.join()'; echo status $?")
    check("strace -f: threads", out.split(), ["1", "status", "0"])
if have("gdb") and have("gcc"):
    out = guest("cd /tmp && printf 'int add(int a, int b) { return a + b; }\\nint main(void) { return add(3, 4); }\\n' >p.c &&"
                " gcc -g -O0 -o p p.c && gdb -q -batch -nx -ex 'break add' -ex run -ex 'print a * 100 + b' -ex backtrace"
                " -ex stepi -ex finish -ex continue ./p 2>&1")
    check("gdb: breakpoint", "Breakpoint 1, add (a=3, b=4)" in out, True)
    check("gdb: print", "$1 = 304" in out, True)
    check("gdb: backtrace", bool(re.search(r"#1 .* in main \(\)", out)), True)
    check("gdb: finish", "Value returned is $2 = 7" in out, True)
    check("gdb: the end", "exited with code 07" in out, True)
    if not ("exited with code 07" in out):
        print(out)
finish()
