#!/usr/bin/env python3
"""root_ports.py STARRYRUN: running out of ports in a narrow ip_local_port_range: the same program as root of a
network of its own natively, and as root of the guest, must print the same."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from as_root import compare
from world import finish

compare("root_ports", "-n")
finish()
