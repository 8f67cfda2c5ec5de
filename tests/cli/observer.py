#!/usr/bin/env python3
"""observer.py STARRYRUN: no system call of a guest reaches the host.

Real programs run under starryrun while strace watches the host's side of every guest process. From the
moment its seccomp filter is in force, each call that such a process makes must be on the filter's list
(FILTER_ALLOWED in src/tracer/stub/filter_program.h) and come from the stub's gate, or be refused by the
filter: a SIGSYS follows it and nothing was carried out. Prints how often each call was seen.
"""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/tracer/stub/filter_program.h")

THREADS = """
import threading, subprocess, os
total = []
def work(n):
    total.append(sum(range(n)))
threads = [threading.Thread(target=work, args=(i * 1000,)) for i in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(total), subprocess.run(["/bin/echo", "child"], capture_output=True).stdout)
pid = os.fork()
if pid == 0:
    os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

# Name, command, what it must print (None: anything).
GUESTS = [
    ("busybox", ["busybox", "sh", "-c", "echo a b | busybox awk '{print $2}'; busybox id -u >/dev/null"], "b\n"),
    ("ls", ["ls", "-laR", "/etc/"], None),
    ("bash", ["bash", "-c", "set -o pipefail; for i in 3 1 2; do echo $i; done | sort | tee /tmp/observer.out | tr -d '\\n';"
              " cat <<<here; trap 'echo trapped' EXIT; (exec sleep 0.1) & wait; kill -9 $$"], "123here\n"),
    ("find", ["sh", "-c", "cd /usr/share/doc/bash && tar cf - . | xz -0 | xz -d | tar tf - | sed -n '$=' >/dev/null"], ""),
    ("python3", ["python3", "-c", THREADS], "8 b'child\\n'\n3\n"),
]


def fail(text):
    print("FAILED:", text)
    sys.exit(1)


def skip(why):
    print("SKIPPED:", why)
    sys.exit(SKIPPED)


def allowed_calls():
    text = open(SOURCE).read()
    names = re.search(r"FILTER_ALLOWED\[\] = \{(.*?)\}", text, re.S).group(1)
    return set(re.findall(r"__NR_(\w+)", names))


def gate(stub):
    """The addresses between which the filter lets calls pass."""
    symbols = subprocess.run(["nm", stub], capture_output=True, text=True, check=True).stdout
    at = {name: int(value, 16) for value, _, name in re.findall(r"^(\w+) (\w) (\w+)$", symbols, re.M)}
    return at["stub_gate_start"], at["stub_gate_end"]


LINE = re.compile(r"(?P<pid>\d+) +\[(?P<ip>[0-9a-f?]+)\] (?P<what>.*)")
NAME = re.compile(r"(\w+)\(")
RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
CLONED = re.compile(r"(?:clone\(|<\.\.\. clone resumed>).* = (\d+)$")
# With a filter: what the supervisor asks the host before the first guest process starts installs none.
INSTALLED = re.compile(r"seccomp\(SECCOMP_SET_MODE_FILTER, \w+, (?!NULL\b)")


class Observer:
    """Reads a log of `strace -f -i` and checks every thread that the filter is in force for."""

    def __init__(self, allowed, start, end):
        self.allowed, self.start, self.end = allowed, start, end
        self.filtered = {}  # thread -> line of the log after which it is under the filter
        self.pending = {}   # thread -> its last call, if SIGSYS must follow
        self.counts = collections.Counter()
        self.refused = collections.Counter()
        self.killed = 0
        self.errors = []

    def read(self, path):
        with open(path, errors="replace") as log:
            events = [(n, m["pid"], m["ip"], m["what"]) for n, m in enumerate(map(LINE.match, log), 1) if m]
        # What a filtered thread clones is filtered from the start; its first lines may come before the
        # line that tells.
        for number, pid, _, what in events:
            if INSTALLED.match(what):
                self.filtered[pid] = number
            elif pid in self.filtered and (m := CLONED.match(what)):
                self.filtered[m[1]] = 0
        for number, pid, ip, what in events:
            if number > self.filtered.get(pid, number) and not RESUMED.match(what):
                self.event(number, pid, ip, what)
        for text in self.pending.values():
            self.errors.append("the log ends in " + text)

    def event(self, number, pid, ip, what):
        text = f"line {number}, process {pid}: {what}"
        if pid in self.pending:
            call = self.pending.pop(pid)
            if what.startswith("--- SIGSYS") and "si_code=SYS_SECCOMP" in what:
                self.refused[NAME.search(call)[1]] += 1
                return
            if what.startswith("+++ "):
                self.killed += 1  # before the signal arrived
                return
            self.errors.append("passed on to the host: " + call)
        if what.startswith(("---", "+++")):
            return
        call = NAME.match(what)
        if call is None or not ip.strip("?"):
            self.errors.append("not understood: " + text)
        elif not self.start <= int(ip, 16) < self.end:
            self.pending[pid] = text
        else:
            self.counts[call[1]] += 1
            if call[1] not in self.allowed:
                self.errors.append("not on the list: " + text)
            if call[1] == "prctl" and not what.startswith("prctl(PR_SET_PDEATHSIG,"):
                self.errors.append("not for its only purpose: " + text)


def observe(starryrun, directory, name, command, expected, observer):
    log = os.path.join(directory, name + ".strace")
    watch = ["strace", "-f", "-i", "-s", "8", "-o", log]
    run = subprocess.run(watch + [starryrun, "-q", "--"] + command, stdin=subprocess.DEVNULL, capture_output=True,
                         text=True, errors="replace", timeout=100)
    if expected is not None and run.stdout != expected:
        fail(f"{name}: prints {run.stdout!r}, {run.stderr!r} instead of {expected!r}")
    observer.filtered.clear()
    observer.read(log)
    threads = len(observer.filtered)
    if threads == 0:
        fail(f"{name}: no process installed a filter")
    print(f"{name}: exit status {run.returncode}, {threads} threads watched")


def main():
    starryrun = sys.argv[1]
    stub = os.path.join(os.path.dirname(starryrun), "src/tracer/starry_stub")
    for tool in ("strace", "nm"):
        if shutil.which(tool) is None:
            skip(tool + " is not installed")
    with tempfile.TemporaryDirectory(prefix="starry-cli.") as directory:
        os.environ["XDG_STATE_HOME"] = os.environ["XDG_RUNTIME_DIR"] = directory
        if subprocess.run(["strace", "-f", "-o", directory + "/probe", "true"], capture_output=True).returncode != 0:
            skip("ptrace(2) is not permitted here")
        observer = Observer(allowed_calls(), *gate(stub))
        for name, command, expected in GUESTS:
            if shutil.which(command[0]) is None:
                print(f"{name}: not installed")
                continue
            observe(starryrun, directory, name, command, expected, observer)
    print(f"\nCalls of guest processes on the host, from the stub's gate at {observer.start:#x}:")
    for call, n in observer.counts.most_common():
        print(f"{n:8} {call}")
    print(f"Refused by the filter with SIGSYS, and served by the emulated kernel: {observer.refused.total()}, of which")
    print("  " + ", ".join(f"{call} {n}" for call, n in observer.refused.most_common(12)))
    if observer.killed:
        print(f"Killed at such a call, before the signal arrived: {observer.killed}")
    for error in observer.errors[:20]:
        print("FAILED:", error)
    if not observer.counts or not observer.refused:
        fail("nothing was observed")
    sys.exit(1 if observer.errors else 0)


main()
