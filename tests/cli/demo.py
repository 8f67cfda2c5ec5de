#!/usr/bin/env python3
"""demo.py STARRYRUN: the main job in a short form. ffmpeg pushes RTSP to an ffmpeg that listens, twice into
one instance; what arrives is equal to a native run, which tools/demo finds out."""
import os
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo")
if shutil.which("ffmpeg", path=ENV["PATH"]) is None:
    print("SKIPPED: no ffmpeg")
    sys.exit(SKIPPED)
with socket.socket(socket.AF_INET6) as s:
    try:
        s.bind(("::1", 0))
    except OSError as e:
        print("SKIPPED: no IPv6 here:", e)
        sys.exit(SKIPPED)
    port = s.getsockname()[1]
ENV.pop("STARRY_MEDIASERVER_DIR", None)
ENV["STARRY_BUILD"] = os.path.dirname(STARRYRUN)
r = run("--no-build", "--fast", "--seconds", "2", "--runs", "2", "--port", str(port), "--work", DIR + "/files",
        program=DEMO, timeout=280, text=True)
print(r.stdout, r.stderr)
check("status", r.returncode, 0)
check("the last line", r.stdout.splitlines()[-1:], ["result: EQUAL"])
check("rows of equal streams", sum(line.endswith("  equal") for line in r.stdout.splitlines()), 2)
check("runs", sum(" equal  " in line for line in r.stdout.splitlines()), 2)
finish()
