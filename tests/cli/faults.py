#!/usr/bin/env python3
"""faults.py STARRYRUN: the seeded kernel faults of faults/faults.list. Each is seen in the log where the list
says, and not without the fault. With strace and starrydiff: a native log against the faulted one names the
faulty call first in at least nine of ten, and against the log of the full kernel nothing."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../faults/faults.list")
STEPS = os.path.join(os.path.dirname(STARRYRUN), "faults/steps")
STARRYDIFF = os.path.join(os.path.dirname(STARRYRUN), "starrydiff")
NAMED_AT_LEAST = 0.9


def faults():
    for line in open(LIST):
        if not line.startswith("#"):
            name, step, calls, pattern, profile = [part.strip() for part in line.split(" | ", 4)]
            yield name, step, calls.split(","), pattern, profile


def guest_log(log, step, *options):
    r = run("-q", "--cpus", "2", *options, "-o", log, "--", STEPS, step)
    if r.returncode != 0:
        check(f"{log}: runs", (r.returncode, r.stderr), (0, b""))
    return open(log, errors="replace").read()


def native_log(log, step):
    return subprocess.run(["strace", "-f", "-o", log, STEPS, step], env=ENV, stdin=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=60).returncode == 0


rows = list(faults())
check("at least 30 faults", len(rows), lambda n: n >= 30)
plain = {step: guest_log(f"{step}.plain", step) for step in sorted({row[1] for row in rows})}
for name, step, calls, pattern, profile in rows:
    group = "files" if profile.startswith("<file ") else "syscalls"
    with open(f"{name}.xml", "w") as f:
        f.write(f"<profile><{group}>{profile}</{group}></profile>\n")
    faulted = guest_log(f"{name}.log", step, "--config", f"{name}.xml")
    count = [len(re.findall(pattern, log, re.M)) for log in (plain[step], faulted)]
    check(f"{name}: shows in the log", count, lambda c: c[1] > c[0])

if not os.access(STARRYDIFF, os.X_OK) or not native_log("probe", "plain"):
    print("SKIPPED: the comparison with native logs: no strace, no ptrace or no starrydiff")
    sys.exit(1 if failures else SKIPPED)


def first_divergence(native, log):
    """starrydiff's exit status and the call of its first difference that counts, if there is one."""
    r = subprocess.run([STARRYDIFF, native, log, "--json", "diff.json"], env=ENV,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if r.returncode > 1:
        check(f"starrydiff {native} {log}", (r.returncode, r.stderr), None)
        return r.returncode, None
    with open("diff.json") as f:
        comparison, = json.load(f)["comparisons"]
    first = comparison["first_divergence"]
    return r.returncode, first and first["call"]


for step in plain:
    native_log(f"{step}.native", step)
    check(f"{step}: no difference without a fault", first_divergence(f"{step}.native", f"{step}.plain"), (0, None))
named = []
for name, step, calls, pattern, profile in rows:
    status, first = first_divergence(f"{step}.native", f"{name}.log")
    print(f"{'ok   ' if first in calls else 'MISS '} {name}: {first}")
    named += [name] if status == 1 and first in calls else []
check(f"named first: {len(named)} of {len(rows)}", len(named), lambda n: n >= NAMED_AT_LEAST * len(rows))
finish()
