#!/usr/bin/env python3
"""reference_logs.py STARRYDIFF: every line of every reference log is read, and the target kernel's log explained.

STARRY_REFERENCE_LOGS names the folder with the logs; they are not part of the project.
"""
import glob
import json
import os
import subprocess
import sys
import tempfile


def compare(diff, *logs):
    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, 'out.json')
        run = subprocess.run([diff, '-q', '--json', out, *logs], capture_output=True, text=True, timeout=120)
        if run.returncode not in (0, 1):
            sys.exit(f'{logs}: status {run.returncode}: {run.stderr}')
        with open(out) as f:
            return json.load(f)['comparisons'], run


def main():
    diff, folder = sys.argv[1], os.environ.get('STARRY_REFERENCE_LOGS', '')
    logs = sorted(glob.glob(f'{folder}/*/*.strace') + glob.glob(f'{folder}/*/*_help.log')) if folder else []
    if not logs:
        print('SKIPPED: STARRY_REFERENCE_LOGS names no folder with logs')
        return 77
    for log in logs:
        (c,), _ = compare(diff, log, log)
        print(f"{os.path.relpath(log, folder)}: {c['first']['lines']} lines, {c['first']['events']} events, {c['first']['joined']} joined,"
              f" {c['first']['other_output']} of other output, {c['first']['bad_lines']} bad")
        if c['first']['bad_lines'] or c['differences']:
            sys.exit(f"{log}: {c['verdict']}: {c['first']['bad']}")
    linux, bare = f'{folder}/ubuntu2204/mediaserver_help.strace', f'{folder}/starry2024/mediaserver_help.log'
    if os.path.exists(linux) and os.path.exists(bare):
        (c,), run = compare(diff, linux, bare)
        print(run.stdout)
        wrong = {d['call'] for d in c['divergences'] if d['counts'] and d['kind'] in ('other result', 'other errno')}
        # What that kernel did wrong: FUTEX_WAKE returned its argument, brk did not grow; it ended in a page fault.
        if not {'futex', 'brk'} <= wrong or 'Page fault' not in c['ending'] or 'clone3' not in c['ending']:
            sys.exit(f'not explained: {wrong}, {c["ending"]}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
