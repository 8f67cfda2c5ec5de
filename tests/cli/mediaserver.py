#!/usr/bin/env python3
"""mediaserver.py STARRYRUN: ZLMediaKit's MediaServer from the folder STARRY_MEDIASERVER_DIR, with what its
parent, its child and its threads look like, a push from the host's ffmpeg, and what stays afterwards."""
import importlib.machinery
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import *  # noqa: E402,F403

SOURCE = os.environ.get("STARRY_MEDIASERVER_DIR", "")
if not os.access(os.path.join(SOURCE, "MediaServer"), os.X_OK):
    print("SKIPPED: STARRY_MEDIASERVER_DIR does not name a folder with MediaServer")
    sys.exit(SKIPPED)
if shutil.which("ffmpeg", path=ENV["PATH"]) is None:
    print("SKIPPED: no ffmpeg")
    sys.exit(SKIPPED)
os.environ.update(ENV, STARRY_BUILD=os.path.dirname(STARRYRUN))
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader(
    "demo", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/demo"))
demo = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo", loader))
loader.exec_module(demo)
default_signals()


def free_port():
    with socket.socket(socket.AF_INET) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


args = types.SimpleNamespace(server=SOURCE, host="127.0.0.1", runs=1, realtime=False, work=DIR, video=DIR + "/01.mp4")
demo.make_video(args.video, 4)
demo.port_for_me = lambda port: free_port()  # so that the test may run beside anything
THREADS = r"""
for p in /proc/[0-9]*; do
  [ "$(cat $p/comm 2>/dev/null)" = MediaServer ] && [ "$(readlink $p/cwd)" = "$PWD" ] || continue
  for t in $p/task/*; do
    stat=$(cat $t/stat); set -- ${stat##*) }
    echo "$(cat $t/comm): policy $(eval echo \${39}) priority $(eval echo \${38}) on $(sed -n 's/Cpus_allowed_list:.//p' $t/status)"
  done
done | sort"""
DUAL = "for a in 127.0.0.1 ::1; do timeout 30 bash -c \": </dev/tcp/$a/%d\" && echo $a; done"


def output(side, command, cwd):
    if side.name == "native":
        return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60, cwd=cwd).stdout
    return ctl("exec", "-w", cwd, side.instance, *command, text=True).stdout


def help_text(text, folder):
    """Without the lines of the log, which have colours and the time, and without the folder's name and width."""
    lines = [line for line in text.splitlines() if not line.startswith("\x1b")]
    return [re.sub(" +", " ", line.replace(folder, "FOLDER")) for line in lines]


def visit(side, options):
    """What is seen of a running server, and the push through it."""
    server = demo.Server(args, side, os.path.join(DIR, side.name))
    command = ["./MediaServer", "-h"]
    shown = run(*command[1:], program=command[0], cwd=server.out, text=True) if side.name == "native" else \
        run("-q", *command, cwd=server.out, text=True)
    seen = {"help": (shown.returncode, help_text(shown.stdout, server.out))}
    if options:
        side.options += options(server)
    try:
        server.start()
        seen["threads"] = output(side, ["bash", "-c", THREADS], server.out)
        seen["dual-stack"] = output(side, ["sh", "-c", DUAL % server.port], server.out)
        command = ["ffmpeg", "-v", "warning", "-nostdin", "-i", args.video, "-vcodec", "h264", "-acodec", "aac",
                   "-f", "rtsp", "-rtsp_transport", "tcp"]
        # Always the host's ffmpeg.
        before = side.read(server.index)
        port = server.port if side.name == "native" else published
        check(f"{side.name}: the host's ffmpeg", demo.Native().run(command + [f"rtsp://127.0.0.1:{port}/live/test"]), 0)
        wait_for(f"{side.name}: complete", lambda: side.read(server.index) != before and
                 "ENDLIST" in side.read(server.index), 60)
        files = server.collect(os.path.join(server.out, "push"))
        seen["streams"] = {c: demo.elementary(files, c, DIR) for c in ("video", "audio")}
    finally:
        side.stop()
    seen["status"] = side.main.returncode
    return seen, server, files


published = free_port()
native, _, _ = visit(demo.Native(), None)
guest_side = demo.Guest(DIR)
guest, server, files = visit(guest_side, lambda s: ["-p", f"127.0.0.1:{published}:{s.port}"])
check("-h", guest["help"], lambda h: len(h[1]) > 5 and h == native["help"])
# The host may not let this user have real-time priorities; the emulated machine does.
POLICY = re.compile(r"policy \d+ priority \d+")
print(native["threads"])
check("threads: names and CPUs", POLICY.sub("", guest["threads"]),
      lambda t: "event poller 0" in t and t == POLICY.sub("", native["threads"]))
check("SCHED_FIFO", sorted(set(re.findall(r"event poller \d+: (.*) on", guest["threads"]))), ["policy 1 priority 99"])
check("dual-stack", guest["dual-stack"], "127.0.0.1\n::1\n")
check("streams", guest["streams"], lambda s: s["video"][1] == 100 and s == native["streams"])
check("status after SIGINT", guest["status"], native["status"])
check("no instance is left", ctl("ps").stdout, b"no instance is running\n")
upper = os.path.join(DIR, "guest.upper", "upper" if os.path.isdir(DIR + "/guest.upper/upper") else ".") + server.out
kept = {os.path.relpath(p, upper): open(p, "rb").read() for p in demo.ts_files(upper)}
check("the upper layer holds what cp gave", sorted(kept.values()), lambda k: k == sorted(open(f, "rb").read() for f in files))

# On 20 emulated CPUs, and with the files in the default place.
os.chdir(server.out)
twenty = start("--cpus", "20", "--name", "twenty", "--user", f"{os.getuid()}:{os.getgid()}", "./MediaServer", "-d",
               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
demo.wait_for("listens", lambda: re.search(":%04X .* 0A " % server.port, ctl("exec", "twenty", "cat", "/proc/net/tcp6", text=True).stdout))
lines = ctl("exec", "twenty", "bash", "-c", THREADS, text=True).stdout.splitlines()
pollers = [re.sub(r"^event poller (\d+): .* on (.*)$", r"\1 on \2", line) for line in lines if line.startswith("event poller")]
check("20 CPUs", sorted(pollers), sorted(f"{i} on {i}" for i in range(20)))
twenty.send_signal(signal.SIGINT)
last = twenty.stderr.read().splitlines()[-1:]
check("20 CPUs: the end", twenty.wait(60), native["status"])
where = re.fullmatch(r"starryrun: \d+ files? changed, kept in (.*)", last[0] if last else "")
check("the last line", last, lambda _: where is not None)
check("the default place", where and os.path.isdir(where.group(1) + "/upper" + server.out), True)
finish()
