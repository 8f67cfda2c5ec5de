#!/usr/bin/env python3
"""root_files.py STARRYRUN: mounts, bind mounts, chroot and pivot_root: the same program as root of a name
space of its own natively, and as root of the guest, must print the same."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import DIR, SKIPPED, STARRYRUN, check, finish, run

PROGRAM = os.path.join(os.path.dirname(STARRYRUN), "cli", "root_files")
for sub in ("native", "guest"):
    os.mkdir(f"{DIR}/{sub}")
native = subprocess.run(["unshare", "-Urm", "--propagation", "private", PROGRAM], cwd=f"{DIR}/native",
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
if native.returncode != 0:
    print("SKIPPED: no user name spaces here: " + native.stderr.decode().strip())
    sys.exit(SKIPPED)
guest = run("-q", "--user", "0", PROGRAM, cwd=f"{DIR}/guest")
check("exit status", guest.returncode, 0)
ours, theirs = guest.stdout.decode().splitlines(), native.stdout.decode().splitlines()
check("number of lines", len(ours), len(theirs))
for mine, wanted in zip(ours, theirs):
    check(wanted, mine, wanted)
finish()
