#!/usr/bin/env python3
"""native_pairs.py STARRYDIFF: two native runs of the same program give no difference."""
import os
import shutil
import subprocess
import sys
import tempfile

GUEST = os.path.join(os.path.dirname(os.path.realpath(sys.argv[1])), 'guest')
PROGRAMS = [
    ['true'], ['ls', '-lR', '/etc/default'], ['cat', '/etc/services'], ['date'], ['sort', '/etc/services'],
    ['find', '/usr/share/doc', '-maxdepth', '1', '-name', 'lib*'], ['tar', 'cf', 'x.tar', '/etc/default'],
    ['dd', 'if=/dev/urandom', 'of=f', 'bs=1k', 'count=50', 'status=none'], ['awk', 'BEGIN { while (i < 50) print i++ > "f" }'],
    ['sh', '-c', 'for i in 1 2 3; do echo $i | cat | wc -c; done; ls | sort | uniq'],
    ['bash', '-c', 'for i in 1 2 3; do (echo $i); done; echo $(date) | tr a-z A-Z; cat /etc/hostname'],
    ['python3', '-c', 'import threading, subprocess\nsubprocess.run(["ls"], capture_output=True)\n'
                      't = [threading.Thread(target=len, args=("x",)) for i in range(4)]\n[x.start() for x in t]; [x.join() for x in t]'],
    ['ffprobe', '-v', 'error', '/nonexistent.mp4'],
    *[[os.path.join(GUEST, name)] for name in (
        'net_tcp_flow', 'signal_actions', 'timer_interval', 'epoll_events', 'fork_basic', 'signal_restart', 'futex_pi',
        'poll_select', 'signalfd_read', 'eventfd_timerfd', 'unix_stream')],
]
# Programs whose files have random names, or that print addresses, are not in the list: there two runs differ.
RUNS = 4  # at most, of a program


def trace(command, log, scratch):
    work = os.path.join(scratch, 'work')  # the same for all runs
    shutil.rmtree(work, ignore_errors=True)
    os.mkdir(work)
    subprocess.run(['strace', '-f', '-o', log, *command], cwd=work, env=dict(os.environ, PATH='/usr/bin:/bin'), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=100)


def compare(first, second, *options):
    run = subprocess.run([sys.argv[1], '-q', *options, first, second], capture_output=True, text=True, timeout=60)
    return run.returncode, (run.stdout + run.stderr).strip()


def main():
    if not shutil.which('strace') or subprocess.run(['strace', '-o', '/dev/null', 'true'], capture_output=True).returncode:
        print('SKIPPED: strace cannot trace here')
        return 77
    done = same = failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for command in PROGRAMS:
            if not shutil.which(command[0]):
                continue
            # A native run repeats badly now and then: a loaded machine interrupts what is timed. That is what --also is
            # for: what the runs before differed in is no difference.
            logs = [os.path.join(scratch, str(i)) for i in range(RUNS)]
            trace(command, logs[0], scratch)
            for i in range(1, RUNS):
                trace(command, logs[i], scratch)
                also = [option for log in logs[1:i] for option in ('--also', log)]
                status, verdict = compare(logs[0], logs[i], *also)
                if status != 1:
                    break
                print(f'      {verdict[:300]}')
            done += 1
            same += status == 0 and i == 1
            failed += status != 0
            print(f"{'ok  ' if status == 0 else 'FAIL'} {os.path.basename(command[0])} {' '.join(command[1:])[:40]!r}: {verdict[:300]}")
    print(f'{done} pairs: {same} without a difference, {done - same - failed} with variation, {failed} with differences')
    return 1 if failed or same < 20 else 0


if __name__ == '__main__':
    sys.exit(main())
