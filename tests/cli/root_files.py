#!/usr/bin/env python3
"""root_files.py STARRYRUN: mounts, bind mounts, mount name spaces, chroot and pivot_root: the same program as
root of name spaces of its own natively, and as root of the guest, must print the same."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from as_root import compare
from world import finish

compare("root_files", "-m", "--propagation", "private")
finish()
