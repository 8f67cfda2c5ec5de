#!/usr/bin/env python3
"""trace_agrees.py STARRYRUN [NAME...]: the same programs under `strace -f` natively and under starryrun: after
the normalisation of starrydiff the logs agree, and after that of lib/strace_lines.py, which knows nothing of
starrydiff, too: line for line, thread by thread. Where two kernels may differ is in DIFFERENCES and ACCEPTED, with the
reason. NAMEs choose programs; with one of them the differences are shown."""
import collections
import difflib
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403
import strace_lines  # noqa: E402
from trace_programs import ACCEPTED, DIFFERENCES, ENCODE, MOST, PROGRAMS, RACES, RACING, REASONS  # noqa: E402

GUEST_PROGRAMS = os.path.join(os.path.dirname(STARRYRUN), "guest")
AS_USER = []
if os.getuid() == 0:
    AS_USER = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]


def traced(name, tracer, command):
    """Runs `command` in a fresh directory that has the same name each time; its log."""
    place, log = os.path.join(DIR, "place"), os.path.join(DIR, name)
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place)
    os.chmod(place, 0o777)
    open(log, "w").close()
    os.chmod(log, 0o666)
    # The order of Python's sets decides when its memory runs out, and so does the address of its own arenas.
    env = dict(ENV, HOME="/tmp", PYTHONHASHSEED="0", PYTHONMALLOC="malloc", PYTHONSAFEPATH="1", PYTHONNOUSERSITE="1")
    r = subprocess.run(AS_USER + tracer + ["-o", log] + command, cwd=place, env=env, timeout=120,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with open(log, errors="surrogateescape") as f:
        return r, f.read()


def differences(native, guest):
    for name in sorted(set(native) | set(guest)):
        # Accepted lines are compared by their class only, so that they cannot hide each other.
        sides = [[class_of(line) or line for line in side.get(name, [])] for side in (native, guest)]
        for line in difflib.unified_diff(*sides, name, name, lineterm="", n=0):
            if not line.startswith(("---", "+++", "@@")) or line.startswith(("--- SIG", "---- SIG", "+--- SIG", "++++ ", "-+++ ")):
                yield name, line


def starrydiff(a, b):
    """What starrydiff counts as different between two logs and is not of a class that may differ."""
    found = os.path.join(DIR, "found.json")
    r = subprocess.run([os.path.join(os.path.dirname(STARRYRUN), "starrydiff"), "-q", "--json", found, a, b],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    if r.returncode not in (0, 1):
        return [f"starrydiff: status {r.returncode}: {r.stdout}"]
    with open(found) as f:
        divergences = json.load(f)["comparisons"][0]["divergences"]
    out = []
    for d in divergences:
        if not d["counts"]:
            continue
        side = d["first"] or d["second"]
        about = side.get("descriptor", "") or side["text"].partition("(")[2]
        for call, text, name in DIFFERENCES:
            if call.fullmatch(d["call"]) and text.search(about):
                counted[name] += d["count"]
                break
        else:
            out.append(f"{d['kind']}: {side['text'][:300]}")
    return out


def class_of(line):
    for pattern, name, _ in ACCEPTED:
        if pattern.search(line):
            used.add(name)
            return f"<{name}>"
    return None


if shutil.which("strace") is None:
    print("SKIPPED: there is no strace")
    sys.exit(SKIPPED)
os.chmod(os.path.join(DIR, "run"), 0o777)
os.makedirs(os.path.join(DIR, "state"), exist_ok=True)
if AS_USER:
    for d in ("run", "state"):
        os.chown(os.path.join(DIR, d), 1000, 1000)
        os.chmod(os.path.join(DIR, d), 0o700)
if subprocess.run(AS_USER + ["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode != 0:
    print("SKIPPED: ptrace is not allowed here")
    sys.exit(SKIPPED)

VIDEO = os.path.join(DIR, "video.mp4")
if shutil.which(ENCODE[0]):
    subprocess.run([*ENCODE, VIDEO], stdin=subprocess.DEVNULL, timeout=60)
used, compared, lines = set(), 0, 0
counted = collections.Counter()
chosen = sys.argv[2:]
for name, command in PROGRAMS:
    if chosen and name not in chosen:
        continue
    command = [word.replace("GUEST", GUEST_PROGRAMS).replace("VIDEO", VIDEO) for word in command]
    if shutil.which(command[0]) is None:
        print(f"      {name}: {command[0]} is not here")
        continue
    native, native_log = traced("native", ["strace", "-f"], command)
    guest, guest_log = traced("guest", [STARRYRUN, "-q"], command)
    check(name + ": starrydiff", starrydiff(os.path.join(DIR, "native"), os.path.join(DIR, "guest")), [])
    a, b = strace_lines.threads(native_log), strace_lines.threads(guest_log)
    if name in RACES:
        for side in (a, b):
            for thread, texts in side.items():
                side[thread] = [line for line in texts if not RACING.match(line)]
    found = list(differences(a, b))
    if chosen:
        for thread, line in found:
            print(thread, line)
    lines += sum(len(x) for x in a.values())
    compared += 1
    check(name, [f"{t} {line[:300]}" for t, line in found[:6]], [])
    check(name + ": status", guest.returncode, 128 - native.returncode if native.returncode < 0 else native.returncode)
unmet = [name for _, name, _ in ACCEPTED if name not in used]
print(f"{compared} programs, {lines} lines; {len(ACCEPTED) - len(unmet)} of {len(ACCEPTED)} accepted classes were met")
for name, times in sorted(counted.items()):
    print(f"      starrydiff: {times} {name}: {REASONS[name]}")
if not chosen:
    # How often each class may be met in all programs together.
    check("differences by class", {k: v for k, v in counted.items() if v > MOST.get(k, 0)}, {})
    check("programs compared", compared, lambda n: n >= 40)
    check("accepted classes", len(ACCEPTED), 15)
    if compared == len(PROGRAMS):
        check("accepted without need", unmet, [])
finish()
