#!/usr/bin/env python3
"""Measures what system calls and programs cost under starryrun, relative to the same machine without it.

Every case runs natively and under starryrun alternately, so that both meet the same load; the table shows
medians over the rounds, the ratio emulated/native and how far the rounds' ratios spread. Beside them stand
other ways to intercept system calls, as far as they are installed: strace -f, runsc do, proot, linux.uml.

--apps runs whole programs instead of single calls; --scale measures how the cost of an operation and the
supervisor's memory grow with the number of threads, processes, sockets, files and emulated CPUs.
"""

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

try:
    from starrybench_applications import APPS, PUSHES
except ImportError:  # in the source folder
    from applications import APPS, PUSHES

# Peers are hundreds of times slower: they run less, and not the cases that would take minutes.
PEER_MS = 50
PEER_TIMEOUT = 15
PEERS = {
    "strace": lambda d: ["strace", "-f", "-o", "/dev/null"],
    "runsc": lambda d: ["runsc", "--rootless", "--platform=ptrace", "--network=none", "do"],
    "proot": lambda d: ["proot"],
    "uml": lambda d: ["linux.uml", "mem=256M", "rootfstype=hostfs", "rw", "quiet", "con=null", "con0=fd:0,fd:1"],
}


def machine():
    cpu = "unknown"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    try:
        with open("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") as f:
            governor = f.read().strip()
    except OSError:
        governor = "unknown"
    return {"cpu": cpu, "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release(), "governor": governor,
            "date": time.strftime("%Y-%m-%d"), "load": os.getloadavg()[0]}


class Runner:
    """Runs one case natively, under starryrun or under a peer."""

    def __init__(self, args, cases):
        self.args, self.cases = args, cases
        self.dir = tempfile.mkdtemp(prefix="starrybench.")
        os.chmod(self.dir, 0o777)  # run by root, starryrun makes the guest an ordinary user
        self.env = dict(os.environ, LC_ALL="C", XDG_STATE_HOME=self.dir, XDG_RUNTIME_DIR=self.dir)

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def starryrun(self):
        return [self.args.starryrun, "-q"] + self.args.option + ["--"]

    def run(self, prefix, case, ms, limit):
        """The value of the case, or None if it failed or took too long."""
        # A kernel runs its first program without another to start it, and panics when that ends.
        program = "init=" + self.cases if prefix[:1] == ["linux.uml"] else self.cases
        try:
            done = subprocess.run(prefix + [program, case, str(ms)], cwd=self.dir, env=self.env, text=True,
                                  capture_output=True, timeout=limit, stdin=subprocess.DEVNULL)
        except (subprocess.TimeoutExpired, OSError):
            return None
        # A peer may print lines of its own around it.
        found = re.findall(r"^(\d+\.\d+)\s*$", done.stdout, re.M)
        return float(found[-1]) if found else None

    def start_up(self, prefix):
        """Wall time of running /bin/true, ns."""
        begin = time.monotonic_ns()
        done = subprocess.run(prefix + ["/bin/true"], cwd=self.dir, env=self.env, capture_output=True,
                              timeout=60, stdin=subprocess.DEVNULL)
        return float(time.monotonic_ns() - begin) if done.returncode == 0 else None

    def once(self, prefix, case, ms, limit=60):
        return self.start_up(prefix) if case == "start_up" else self.run(prefix, case, ms, limit)


    def application(self, prefix, app, data):
        """Wall time of the script in ns, or the rate that it prints."""
        begin = time.monotonic_ns()
        try:
            done = subprocess.run(prefix + ["/bin/sh", "-c", app.script], cwd=self.dir, env=dict(self.env, DATA=data),
                                  text=True, capture_output=True, timeout=300, stdin=subprocess.DEVNULL)
        except (subprocess.TimeoutExpired, OSError):
            return None
        took = float(time.monotonic_ns() - begin)
        if app.kind == "time":
            return took if done.returncode == 0 else None
        try:
            return float(done.stdout.split()[-1])
        except (IndexError, ValueError):
            return None

    def scale(self, prefix, case, n, ms):
        """Value of a scale case, and the peak memory of the program that was started, in KiB."""
        command, env = [self.cases, "--scale", case, str(n), str(ms)], self.env
        if case == PUSHES.name:
            command, env = ["/bin/sh", "-c", PUSHES.script], dict(env, N=str(n), DATA=os.path.join(self.dir, case))
        p = subprocess.Popen(prefix + command, cwd=self.dir, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        peak, end = 0, time.monotonic() + 120
        while p.poll() is None:
            if time.monotonic() > end:
                p.kill()
            try:
                with open(f"/proc/{p.pid}/status") as f:
                    peak = max([peak] + [int(v) for v in re.findall(r"^VmHWM:\s*(\d+)", f.read(), re.M)])
            except OSError:
                pass
            time.sleep(0.05)
        found = re.findall(r"^(\d+\.\d+)\s*$", p.stdout.read(), re.M)
        p.stdout.close()
        return (float(found[-1]) if found and p.returncode == 0 else None), peak


def spread(values):
    """Half the distance between the quartiles, relative to the median."""
    if len(values) < 4:
        return (max(values) - min(values)) / 2 / statistics.median(values) if len(values) > 1 else 0.0
    q = statistics.quantiles(values, n=4)
    return (q[2] - q[0]) / 2 / statistics.median(values)


def pairs(runner, rounds, once):
    """Values of `once(prefix)`, natively and under starryrun alternately."""
    native, emulated = [], []
    for _ in range(rounds):
        n, e = once([]), once(runner.starryrun())
        if n is not None and e is not None:
            native.append(n)
            emulated.append(e)
    return native, emulated


def summary(name, kind, native, emulated):
    result = {"name": name, "kind": kind, "native": None, "emulated": None, "ratio": None, "spread": None, "peers": {}}
    if native:
        ratios = [e / n for n, e in zip(native, emulated)]
        result.update(native=statistics.median(native), emulated=statistics.median(emulated),
                      ratio=statistics.median(ratios), spread=spread(ratios))
    return result


def measure(runner, name, kind, args, peers):
    result = summary(name, kind, *pairs(runner, args.rounds, lambda prefix: runner.once(prefix, name, args.ms)))
    for peer in peers:
        value = runner.once(PEERS[peer](runner.dir), name, PEER_MS, PEER_TIMEOUT)
        if value is not None:
            result["peers"][peer] = value
    return result


def applications(runner, args):
    for app in APPS:
        if not re.search(args.cases, app.name):
            continue
        if app.missing():
            print(f"{app.name:<20} SKIPPED: not installed: {', '.join(app.missing())}", flush=True)
            continue
        data = os.path.join(runner.dir, app.name)
        if app.prepare:
            app.prepare(data)
            subprocess.run(["chmod", "-R", "a+rwX", data], check=True)
        result = summary(app.name, app.kind, *pairs(runner, min(args.rounds, 3),
                                                    lambda prefix: runner.application(prefix, app, data)))
        print(table_row(result), flush=True)
        yield result


# Name of the case, what is counted, and how many of it.
SCALES = [("futex_threads", "threads", (10, 100, 1000)), ("pipe_processes", "processes", (5, 50, 500)),
          ("epoll_sockets", "sockets", (100, 1000, 10000)), ("directory_fill", "files", (1000, 10000, 100000)),
          ("directory_open", "files", (1000, 10000, 100000)), ("large_file", "MiB", (64, 512, 4096)),
          ("futex_threads", "cpus", (1, 2, 8, 64)), (PUSHES.name, "pushes", (1, 5, 20))]


def scales(runner, args):
    """Growth: emulated cost of the largest n relative to the smallest, and the same natively."""
    print(f"{'case':<20}{'n':>16}{'native':>12}{'starryrun':>12}{'ratio':>9}{'supervisor':>12}", flush=True)
    for case, what, sizes in SCALES:
        name = case if what != "cpus" else "emulated_cpus"
        if not re.search(args.cases, name):
            continue
        if case == PUSHES.name:
            if PUSHES.missing():
                print(f"{name:<20} SKIPPED: not installed: {', '.join(PUSHES.missing())}", flush=True)
                continue
            PUSHES.prepare(os.path.join(runner.dir, name))
        rows = []
        for n in sizes:
            option = ["--cpus", str(n)] if what == "cpus" else []
            prefix = [args.starryrun, "-q"] + args.option + option + ["--"]
            count = 64 if what == "cpus" else n
            values = [(runner.scale([], case, count, args.ms)[0], *runner.scale(prefix, case, count, args.ms))
                      for _ in range(min(args.rounds, 3))]
            good = [v for v in values if v[0] is not None and v[1] is not None]
            native = statistics.median([v[0] for v in good]) if good else None
            emulated = statistics.median([v[1] for v in good]) if good else None
            memory = max(v[2] for v in values)
            rows.append({"n": n, "native": native, "emulated": emulated, "supervisor_kib": memory})
            ratio = f"{emulated / native:.2f}" if good else ""
            print(f"{name:<20}{n:>10} {what[:5]:<5}{human(native, 'time'):>12}{human(emulated, 'time'):>12}{ratio:>9}"
                  f"{memory / 1024:>9.0f} MiB", flush=True)
        grown = {}
        if rows[0]["native"] and rows[-1]["native"]:
            grown = {side: rows[-1][side] / rows[0][side] for side in ("native", "emulated")}
            print(f"{name:<20}{'growth':>16}{grown['native']:>12.2f}{grown['emulated']:>12.2f}", flush=True)
        ratio = rows[-1]["emulated"] / rows[-1]["native"] if grown else None
        yield {"name": name, "kind": "scale", "native": rows[-1]["native"], "emulated": rows[-1]["emulated"],
               "ratio": ratio, "peers": {}, "sizes": rows, "growth": grown}


def human(value, kind):
    if value is None:
        return "failed"
    if kind == "rate":
        return f"{value / 1e6:.0f} MB/s" if value >= 1e7 else f"{value:.0f}/s"
    if value >= 1e9:
        return f"{value / 1e9:.2f} s"
    return f"{value / 1e3:.2f} us" if value < 1e6 else f"{value / 1e6:.2f} ms"


def table_row(r):
    ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}"
    spread_text = "" if r["spread"] is None else f"{r['spread'] * 100:.0f}%"
    peers = "  ".join(f"{k} {human(v, r['kind'])}" for k, v in r["peers"].items())
    return (f"{r['name']:<20}{human(r['native'], r['kind']):>12}{human(r['emulated'], r['kind']):>12}"
            f"{ratio:>9}{spread_text:>8}  {peers}").rstrip()


def svg(results, where):
    """Bars of the ratios on a logarithmic scale; a line marks 1."""
    rows = [r for r in results if r["ratio"]]
    left, width, step = 170, 520, 18
    low, high = 0.1, 1000.0

    def x(ratio):
        import math
        part = math.log10(min(max(ratio, low), high) / low) / math.log10(high / low)
        return left + part * width

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 80}" height="{step * len(rows) + 50}" '
           'font-family="sans-serif" font-size="11">',
           f'<text x="{left}" y="14">emulated / native, logarithmic (time: less is better; rate: more)</text>']
    for i, r in enumerate(rows):
        y = 24 + i * step
        color = "#4878a8" if r["kind"] == "time" else "#6aa84f"
        begin, end = sorted((x(1), x(r["ratio"])))
        out.append(f'<text x="{left - 6}" y="{y + 12}" text-anchor="end">{r["name"]}</text>')
        out.append(f'<rect x="{begin:.1f}" y="{y + 2}" width="{max(end - begin, 1):.1f}" height="{step - 4}" fill="{color}"/>')
        out.append(f'<text x="{end + 4:.1f}" y="{y + 12}">{r["ratio"]:.2f}</text>')
    out.append(f'<line x1="{x(1)}" y1="20" x2="{x(1)}" y2="{24 + step * len(rows)}" stroke="black"/></svg>')
    with open(where, "w") as f:
        f.write("\n".join(out) + "\n")


def geometric_mean(results):
    ratios = [r["ratio"] for r in results if r["kind"] == "time" and r["ratio"]]
    return statistics.geometric_mean(ratios) if ratios else None


def find_program(name):
    """Beside this script (in the build folder)."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    return path if os.access(path, os.X_OK) else None


def parse_args():
    p = argparse.ArgumentParser(prog="starrybench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--starryrun", default=find_program("starryrun"), help="the program to measure")
    p.add_argument("--option", action="append", default=[], metavar="OPT", help="passed to starryrun, as --option=--no-spin")
    p.add_argument("--cases", default="", metavar="REGEX", help="only the cases that it matches")
    p.add_argument("--rounds", type=int, default=5, metavar="N", help="pairs of runs (default 5)")
    p.add_argument("--ms", type=int, default=200, metavar="N", help="milliseconds per run (default 200)")
    p.add_argument("--apps", action="store_true", help="whole programs; at most three rounds")
    p.add_argument("--scale", action="store_true", help="cost and memory against the number of things")
    p.add_argument("--busy", action="store_true", help="with a competing program on every CPU")
    p.add_argument("--no-peers", action="store_true", help="without strace, runsc, proot and UML")
    p.add_argument("--json", metavar="FILE", help="write the results to FILE")
    p.add_argument("--svg", metavar="FILE", help="write a plot of the ratios to FILE")
    return p.parse_args()


def main():
    args = parse_args()
    cases = find_program("starrybench_cases")
    if not args.starryrun or not cases:
        sys.exit("starrybench: starryrun and starrybench_cases must be beside it (or --starryrun)")
    args.starryrun = os.path.abspath(args.starryrun)
    listed = [line.split() for line in subprocess.run([cases, "--list"], text=True, capture_output=True,
                                                      check=True).stdout.splitlines()]
    listed.append(["start_up", "time"])
    chosen = [(n, k) for n, k in listed if re.search(args.cases, n)]
    if not chosen and not args.apps and not args.scale:
        sys.exit(f"starrybench: no case matches {args.cases!r}")
    peers = [] if args.no_peers else [p for p in PEERS if shutil.which(PEERS[p]("")[0])]
    info = machine()
    print(f"{info['cpus']} CPUs ({info['cpu']}), Linux {info['kernel']}, governor {info['governor']}, {info['date']}, "
          f"load {info['load']:.1f}" + (", every CPU busy" if args.busy else ""))
    print(f"{'case':<20}{'native':>12}{'starryrun':>12}{'ratio':>9}{'spread':>8}  peers", flush=True)
    runner = Runner(args, cases)
    competitors = []
    results = []
    try:
        if args.busy:
            competitors = [subprocess.Popen([cases, "--spin"]) for _ in range(info["cpus"])]
        if args.apps:
            results.extend(applications(runner, args))
        if args.scale:
            results.extend(scales(runner, args))
        for name, kind in chosen if not args.apps and not args.scale else []:
            results.append(measure(runner, name, kind, args, peers))
            print(table_row(results[-1]), flush=True)
    finally:
        for c in competitors:
            c.kill()
            c.wait()
        runner.close()
    mean = geometric_mean(results)
    if mean:
        print(f"geometric mean of the time ratios: {mean:.2f}")
    info["busy"] = args.busy
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"machine": info, "results": results}, f, indent=1)
    if args.svg:
        svg(results, args.svg)
    return 0 if all(r["ratio"] for r in results) else 1


if __name__ == "__main__":
    sys.exit(main())
