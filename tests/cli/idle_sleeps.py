#!/usr/bin/env python3
"""idle_sleeps.py STARRYRUN: no busy loop is forgotten. A guest that does something every 20 ms leaves the supervisor
idle in between: from event to sleep it takes less than a millisecond of CPU time; and a guest that only waits costs
nothing."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403


def cpu_ns(pid):
    """CPU time of all threads of a process: the kernel thread and its helpers."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
            total += int(f.read().split()[0])
    return total


def over(seconds, *command):
    """CPU seconds that the supervisor of a guest needs while the guest runs, after its start."""
    p = start("-q", *command, stdout=subprocess.PIPE)
    p.stdout.readline()
    before = cpu_ns(p.pid)
    time.sleep(seconds)
    used = cpu_ns(p.pid) - before
    p.terminate()
    p.wait()
    return used / 1e9


LOOP = "import time, os\nprint('up', flush=True)\nwhile True:\n  os.getppid()\n  time.sleep(0.02)"
used = over(2, "python3", "-S", "-c", LOOP)
check("per wake-up of a guest, ms", used * 1000 / 100, lambda ms: ms < 1)
THREADS = ("import threading, time\nfor i in range(20): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
           "print('up', flush=True)\ntime.sleep(60)")
used = over(2, "python3", "-S", "-c", THREADS)
check("waiting guest, ms of 2000", used * 1000, lambda ms: ms < 5)
finish()
