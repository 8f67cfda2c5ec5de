"""What the tests of starryrun's outside share: a directory of their own, running and judging."""
import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

STARRYRUN = os.path.abspath(sys.argv[1])
STARRYCTL = os.path.join(os.path.dirname(STARRYRUN), "starryctl")
SKIPPED = 77
failures = []

DIR = tempfile.mkdtemp(prefix="starry-cli.")
os.chmod(DIR, 0o777)  # the guest's user is not root
atexit.register(shutil.rmtree, DIR, True)
os.makedirs(DIR + "/run", 0o700)
ENV = dict(os.environ, HOME=DIR, XDG_STATE_HOME=DIR + "/state", XDG_RUNTIME_DIR=DIR + "/run", LC_ALL="C",
           PATH="/usr/local/bin:/usr/bin:/bin")
os.chdir(DIR)


def check(what, got, expected):
    """`expected` is a value or a function that judges one."""
    good = expected(got) if callable(expected) else got == expected
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": got {got!r}" + (
        "" if callable(expected) else f", expected {expected!r}")))
    if not good:
        failures.append(what)


def default_signals():
    """A shell in the background starts its children with SIGINT ignored; undo that."""
    for s in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(s, signal.SIG_DFL)


def start(*args, program=None, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("start_new_session", True)
    return subprocess.Popen([program or STARRYRUN, *args], env=ENV, preexec_fn=default_signals, **options)


def run(*args, program=None, timeout=60, **options):
    """The finished process, with its output as text."""
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([program or STARRYRUN, *args], env=ENV, timeout=timeout, preexec_fn=default_signals,
                          **options)


def ctl(*args, **options):
    return run(*args, program=STARRYCTL, **options)


def wait_for(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            print("ok    " + what)
            return True
        time.sleep(0.05)
    check(what, "not within %d s" % seconds, None)
    return False


def finish():
    sys.exit(1 if failures else 0)
