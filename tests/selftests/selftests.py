#!/usr/bin/env python3
"""selftests.py STARRYRUN LIST: runs selftests of the Linux kernel natively and under STARRYRUN.

The sources are Debian's package linux-source-6.1; what is needed of it is unpacked and built in the build
directory. LIST names one folder of tools/testing/selftests and the programs of it (see tests/README.md).
Each program runs as an ordinary user in a fresh copy of its folder. A program, or a TAP line of it, that
passes natively must pass under STARRYRUN. Exit 0: so it is; 1: not; 77: SKIPPED, with the reason.

STARRY_SELFTESTS=all in the environment also runs the programs marked slow.
"""
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

ARCHIVE = "/usr/src/linux-source-6.1.tar.xz"
TOP = "linux-source-6.1"
SELFTESTS = f"{TOP}/tools/testing/selftests"
WANTED = [f"{SELFTESTS}/*", f"{TOP}/tools/include/*", f"{TOP}/include/vdso/time64.h", f"{TOP}/mm/gup_test.h"]
SKIPPED = 77
KSFT_SKIP = 4
NATIVE_LIMIT = 60  # seconds
# Many of these programs sleep for some milliseconds and then expect another thread to be somewhere. On a
# busy machine that is not always so: a failed program gets further tries for a while, unless its list says
# "once".
TRIES, TRY_SECONDS = 15, 20
HERE = os.path.dirname(os.path.abspath(__file__))
AS_USER = "setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all --bounding-set=-all".split()

def skip(reason):
    print("SKIPPED: " + reason)
    sys.exit(SKIPPED)

class Program:
    """One line of a list: a command and how to run it."""

    def __init__(self, kind, command):
        self.slow = kind == "slow"
        self.root = kind == "root"  # natively only root may do this: just the guest runs, as its root
        self.broken = kind == "broken"  # the guest runs with a planted bug, and must fail
        self.lacks = self.reason = ""  # TAP lines (a pattern) that are known to fail in the guest, and why
        self.command = command
        self.argv = shlex.split(command)

class Group:
    def __init__(self, path):
        self.name = os.path.basename(path).removesuffix(".list")
        self.folder, self.make, self.cpus, self.programs = "", [], [""], []
        self.files, self.edits, self.tries = [], [], TRIES
        for line in open(path):
            words = line.split("#")[0].split(None, 1)
            if not words:
                continue
            kind, rest = words[0], words[1].strip() if len(words) > 1 else ""
            if kind in ("run", "slow", "root", "broken"):
                self.programs.append(Program(kind, rest))
            elif kind == "lacks":  # of the program before
                self.programs[-1].lacks, self.programs[-1].reason = rest.split(" -- ")
            elif kind == "folder":
                self.folder = rest
            elif kind == "make":
                self.make = shlex.split(rest)
            elif kind == "cpus":
                self.cpus = rest.split()
            elif kind == "once":
                self.tries = 1
            elif kind == "edit":  # FILE SED-COMMAND: once, after unpacking
                self.edits.append(rest.split(None, 1))
            elif kind == "file":  # of this folder, copied beside the programs
                self.files.append(rest)
            else:
                sys.exit(f"{path}: what is '{kind}'?")

def unpack(cache):
    """Unpacks the sources once per version of the package. One process at a time."""
    if not os.path.exists(ARCHIVE):
        skip(f"{ARCHIVE} is not there (tools/install-deps --selftests)")
    for tool in ("make", "gcc", "xz"):
        if not shutil.which(tool):
            skip(f"no {tool} (tools/install-deps --selftests)")
    os.makedirs(cache, exist_ok=True)
    stamp = f"{cache}/stamp"
    now = str(os.stat(ARCHIVE).st_mtime_ns) + " " + " ".join(WANTED)
    with open(f"{cache}/lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(stamp) and open(stamp).read() == now:
            return
        shutil.rmtree(f"{cache}/{TOP}", ignore_errors=True)
        subprocess.run(["tar", "-xf", ARCHIVE, "-C", cache, "--no-same-owner", "--wildcards", *WANTED], check=True)
        with open(stamp, "w") as f:
            f.write(now)

def build(cache, group):
    """Builds with the folder's own makefile. What does not build is reported and not run."""
    folder = f"{cache}/{SELFTESTS}/{group.folder}"
    for name, command in group.edits:
        # Commands that do nothing the second time; only then make has nothing to do.
        before = open(f"{folder}/{name}").read()
        after = subprocess.run(["sed", command], input=before, stdout=subprocess.PIPE, text=True, check=True).stdout
        if after != before:
            with open(f"{folder}/{name}", "w") as f:
                f.write(after)
    with open(f"{cache}/{group.name}.build", "w") as log:
        subprocess.run(["make", "-k", "-C", folder, f"OUTPUT={folder}", "CC=gcc", *group.make],
                       stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    for name in group.files:
        shutil.copy(f"{HERE}/{name}", folder)
    return folder

def tap(text):
    """Results of the single tests in a TAP report: {name: "pass" | "fail" | "skip"}."""
    results = {}
    for line in text.splitlines():
        m = re.match(r"^(not )?ok\s+(\d+)?\s*-?\s*(.*)$", line)
        if m:
            skipped = re.search(r"#\s*SKIP", m[3], re.I)
            name = re.sub(r"^\[\d+\] ", "", m[3].split("#")[0].strip()) or m[2]  # [pid]
            # Some print a name several times: the worst counts.
            result = "skip" if skipped else "fail" if m[1] else "pass"
            results[name] = min(results.get(name, result), result)  # fail < pass < skip
    return results

class Outcome:
    def __init__(self, status, text, seconds):
        names = {0: "pass", KSFT_SKIP: "skip", None: "hangs"}
        self.result = names.get(status, f"fail({status})")
        self.text, self.seconds, self.tap = text, seconds, tap(text)

def run(folder, prefix, program, limit):
    """Runs a program in a fresh copy of its folder; ends it and all it has started at the time limit."""
    with tempfile.TemporaryDirectory(prefix="starry-selftest.", ignore_cleanup_errors=True) as top:
        work, state = f"{top}/work", f"{top}/state"
        shutil.copytree(folder, work, symlinks=True)
        os.mkdir(state)
        as_user = []
        if os.getuid() == 0:
            as_user = AS_USER
            subprocess.run(["chown", "-R", "1000:1000", top], check=True)
        env = dict(os.environ, LC_ALL="C", HOME="/tmp", XDG_STATE_HOME=state, XDG_RUNTIME_DIR=state)
        command = [*as_user, "timeout", "-k", "2", str(limit), *prefix, *program.argv]
        begin = time.monotonic()
        with open(f"{top}/out", "w+", errors="replace") as out:
            child = subprocess.Popen(command, cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                     stderr=subprocess.STDOUT, start_new_session=True)
            status = child.wait()
            try:
                os.killpg(child.pid, 9)  # what it left behind
            except ProcessLookupError:
                pass
            out.seek(0)
            text = out.read()
        if status in (124, 137, -9):
            status = None
        return Outcome(status, text, time.monotonic() - begin)

def judge(native, guest, lacks):
    """What passes natively (or would, as root: native is None) and not in the guest."""
    bad = []
    if guest.result != "pass" and not lacks and (native is None or native.result == "pass"):
        bad.append(f"guest: {guest.result}")
    for name, result in native.tap.items() if native else ():
        if result == "pass" and guest.tap.get(name) != "pass" and not (lacks and re.fullmatch(lacks, name)):
            bad.append(f"test '{name}': native pass, guest {guest.tap.get(name, 'missing')}")
    return bad


def run_guest(starryrun, folder, p, cpus, native, tries):
    """The outcome, what is wrong with it, and the number of tries."""
    options = [*(["--cpus", cpus] if cpus else []), *(["--user", "0"] if p.root else [])]
    prefix = [starryrun, "-q", *options, "--"]
    if p.broken:
        prefix = ["env", "STARRYRUN_PLANT_BUG=rseq", *prefix]
    limit = 3 * native.seconds + 30 if native else 60
    end = time.monotonic() + TRY_SECONDS
    # A planted bug is a race: it needs luck to be seen.
    for n in range(1, (TRIES if p.broken else tries) + 1):
        guest = run(folder, prefix, p, limit)
        bad = judge(native, guest, p.lacks)
        if p.broken:
            bad = [] if bad else ["passes in spite of the planted bug"]
        if not bad or (n > 1 and time.monotonic() > end):
            break
    return guest, bad, n


def main():
    starryrun, group = os.path.abspath(sys.argv[1]), Group(sys.argv[2])
    if os.getuid() == 0 and not shutil.which("setpriv"):
        skip("running as root without setpriv to become an ordinary user")
    cache = f"{os.path.dirname(starryrun)}/selftests"
    every = os.environ.get("STARRY_SELFTESTS") == "all"
    if not every and all(p.slow for p in group.programs):
        skip("takes minutes (STARRY_SELFTESTS=all)")
    unpack(cache)
    folder = build(cache, group)
    counts = {"equal": 0, "better": 0, "failed": 0, "known": 0, "not built": 0}
    print(f"{'program':52} {'cpus':4} {'native':>9} {'s':>6} {'guest':>9} {'s':>6}")
    for p in group.programs:
        if p.slow and not every:
            continue
        if not os.path.exists(f"{folder}/{p.argv[0]}") and not shutil.which(p.argv[0]):
            print(f"{p.command:52} does not build here, see {cache}/{group.name}.build")
            counts["not built"] += 1
            continue
        native = None if p.root or p.broken else run(folder, [], p, NATIVE_LIMIT)
        if native and native.result == "hangs":
            print(f"{p.command:52} hangs natively")
            continue
        for cpus in group.cpus:
            guest, bad, tries = run_guest(starryrun, folder, p, cpus, native, group.tries)
            if native:
                first = f"{native.result:>9} {native.seconds:6.1f}"
            else:
                first = f"{'planted bug' if p.broken else 'needs root':>16}"
            again = f"  (try {tries})" if tries > 1 else ""
            print(f"{p.command:52} {cpus:4} {first} {guest.result:>9} {guest.seconds:6.1f}{again}", flush=True)
            for line in bad[:8]:
                print("   WRONG " + line)
            if bad:
                print("\n".join("      | " + line for line in guest.text.splitlines()[-25:]))
            better = native and native.result != "pass" and guest.result == "pass"
            if p.lacks:
                print("   known: " + p.reason)
            counts["failed" if bad else "known" if p.lacks else "better" if better else "equal"] += 1
    print(", ".join(f"{n} {what}" for what, n in counts.items()))
    if counts["failed"]:
        sys.exit(1)
    if counts["equal"] + counts["better"] == 0:
        skip("none of the programs could be built")

main()
