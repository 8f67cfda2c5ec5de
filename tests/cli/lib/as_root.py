"""A program that needs root: natively as root of name spaces of its own, and as root of the guest."""
import os
import subprocess
import sys

from world import DIR, SKIPPED, STARRYRUN, check, run


def compare(name, *unshare):
    """Runs cli/NAME both ways; each line must be the same. `unshare`: options for unshare(1)."""
    program = os.path.join(os.path.dirname(STARRYRUN), "cli", name)
    for sub in ("native", "guest"):
        os.mkdir(f"{DIR}/{sub}")
    native = subprocess.run(["unshare", "-Ur", *unshare, program], cwd=f"{DIR}/native", stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    if native.returncode != 0:
        print("SKIPPED: no user name spaces here: " + native.stderr.decode().strip())
        sys.exit(SKIPPED)
    guest = run("-q", "--user", "0", program, cwd=f"{DIR}/guest")
    check("exit status", guest.returncode, 0)
    ours, theirs = guest.stdout.decode().splitlines(), native.stdout.decode().splitlines()
    check("number of lines", len(ours), len(theirs))
    for mine, wanted in zip(ours, theirs):
        check(wanted, mine, wanted)
