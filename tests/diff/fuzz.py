#!/usr/bin/env python3
"""fuzz.py STARRYDIFF [SECONDS]: builds the fuzzer with clang and runs it (default: 30 s)."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SEEDS = [
    '1 execve("/bin/x", ["x"], 0x7ffd00000000 /* 1 var */) = 0\n1 read(3</a>,  <unfinished ...>\n2 close(3) = 0\n1 <... read resumed>"a"..., 9) = 9 <0.1>\n',
    '12:00:00.1 write(1, "a\\"b", 3) = -1 EPIPE (Broken pipe)\n--- SIGPIPE {si_signo=SIGPIPE, si_pid=1} ---\n+++ killed by SIGPIPE +++\n',
    '[  0.1 0:6 a:1] [syscall] id = BRK, args = [0, 0, 0, 0, 0, 0], entry\n[  0.1 0:6 a:1] [syscall] id = 12, args = [0, 0, 0, 0, 0, 0], return 1\n',
    '{"type":"call","tid":1,"name":"read","text":"read(3, \\"a\\", 9) = 1","blocked":[{"on":"pipe","from":1,"to":2}]}\n',
    'write(1, "hel"..., 5hello\n) = 5\n',
]


def main():
    seconds = sys.argv[2] if len(sys.argv) > 2 else '30'
    clang = shutil.which('clang++') or shutil.which('clang++-14')
    if not clang:
        print('SKIPPED: no clang++')
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        probe = os.path.join(scratch, 'probe.cc')
        with open(probe, 'w') as f:
            f.write('extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n')
        if subprocess.run([clang, '-fsanitize=fuzzer,address', probe, '-o', probe + '.out'], capture_output=True).returncode:
            print("SKIPPED: clang's fuzzer runtime is missing")
            return 77
        sources = [s for s in glob.glob(f'{TOP}/tools/starrydiff/*.cc')
                   if os.path.basename(s) not in ('main.cc', 'report_html.cc', 'report_json.cc', 'report_text.cc', 'report_perfetto.cc', 'report_profile.cc')]
        fuzzer, everything = os.path.join(scratch, 'fuzzer'), os.path.join(scratch, 'everything.cc')
        with open(everything, 'w') as f:  # one file: the headers are parsed once
            f.writelines(f'#include "{s}"\n' for s in [*sources, f'{HERE}/parse_fuzzer.cc'])
        subprocess.run([clang, '-std=c++20', '-O1', '-g1', '-D_GNU_SOURCE', '-fsanitize=fuzzer,address,undefined',
                        '-fno-sanitize-recover=undefined', f'-I{TOP}/src', f'-I{TOP}/tools', everything, '-o', fuzzer, '-lfmt'], check=True)
        corpus = os.path.join(scratch, 'corpus')
        os.mkdir(corpus)
        for i, seed in enumerate(SEEDS):
            with open(os.path.join(corpus, str(i)), 'w') as f:
                f.write(seed)
        run = subprocess.run([fuzzer, f'-max_total_time={seconds}', '-timeout=20', '-rss_limit_mb=2048', '-max_len=16384',
                              f'-artifact_prefix={scratch}/', '-print_final_stats=1', corpus], capture_output=True, text=True, errors='replace')
        print(run.stderr[-3000:])
        if run.returncode:
            for artifact in glob.glob(f'{scratch}/crash-*') + glob.glob(f'{scratch}/timeout-*') + glob.glob(f'{scratch}/oom-*'):
                kept = os.path.join(os.getcwd(), os.path.basename(artifact))
                shutil.copy(artifact, kept)
                print('the input is kept as', kept)
        return 1 if run.returncode else 0


if __name__ == '__main__':
    sys.exit(main())
