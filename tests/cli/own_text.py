#!/usr/bin/env python3
"""own_text.py STARRYRUN: a program that checksums its own code gets what it gets natively with --no-rewrite. Without the
option it may see the jumps that stand for hot system calls (docs/architecture.md, section 3)."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

program = os.path.join(os.path.dirname(STARRYRUN), "cli", "own_text")
native = subprocess.run([program], capture_output=True, text=True).stdout
check("natively", native, lambda out: out.startswith("1000 calls"))
check("with --no-rewrite", run("-q", "--no-rewrite", program, text=True).stdout, native)
rewritten = run("-q", program, text=True).stdout
check("rewritten: works", rewritten, lambda out: out.startswith("1000 calls"))
# Otherwise this test would not show anything.
check("rewritten: seen", rewritten != native, True)
finish()
