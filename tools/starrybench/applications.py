"""Whole programs for starrybench: shell scripts that run the same way natively and as guests. The value is the wall
time of the script, or what it prints as its last line where the program measures itself (a rate)."""

import os
import shutil
import subprocess


def _git_repository(where):
    """4,000 files in 200 folders, 300 commits that change 20 of them each."""
    out = []

    def text(n, version):
        return "".join(f"line {i} of file {n}, version {version}\n" for i in range(40)).encode()

    def commit(number, files):
        out.append(f"commit refs/heads/main\ncommitter Bench <bench@localhost> {1700000000 + number} +0000\n"
                   f"data 8\ncommit {number % 10}\n".encode())
        for n in files:
            data = text(n, number)
            out.append(f"M 644 inline d{n % 200}/f{n}.txt\ndata {len(data)}\n".encode() + data + b"\n")

    commit(0, range(4000))
    for c in range(1, 300):
        commit(c, ((c * 37 + i * 211) % 4000 for i in range(20)))
    subprocess.run(["git", "init", "-q", "-b", "main", where], check=True)
    subprocess.run(["git", "fast-import", "--quiet"], cwd=where, input=b"".join(out), check=True)
    subprocess.run(["git", "reset", "-q", "--hard"], cwd=where, check=True)


def _c_files(where):
    os.mkdir(where)
    for i in range(50):
        with open(os.path.join(where, f"f{i}.c"), "w") as f:
            f.write("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n")
            for j in range(30):
                f.write(f"int f{i}_{j}(const char* s, int n) {{\n  char b[64];\n  int r = 0;\n"
                        f"  for (int k = 0; k < n; ++k) r += snprintf(b, sizeof b, \"%s%d\", s, k + {j}) * {i + 1};\n"
                        "  return r + (int)strlen(b);\n}\n")
    with open(os.path.join(where, "Makefile"), "w") as f:
        f.write("all: $(patsubst %.c,%.o,$(wildcard *.c))\n%.o: %.c\n\tgcc -O1 -c -o $@ $<\n")


def _sql(where):
    with open(where, "w") as f:
        f.write("PRAGMA journal_mode=WAL;\nCREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);\n")
        for i in range(2000):
            f.write(f"INSERT INTO t(b) VALUES('row {i}');\n")
        f.write("SELECT count(*) FROM t;\n")


def _video(where):
    """Four seconds without B-frames: ffmpeg's listener rejects packets without a monotonic DTS."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-f", "lavfi",
                    "-i", "sine=frequency=440:sample_rate=44100", "-t", "4", "-c:v", "libx264", "-bf", "0", "-g", "25",
                    "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "mp4", where], check=True)


class App:
    """prepare(path) makes what the script needs at $DATA, once, outside the measurement."""

    def __init__(self, name, needs, script, prepare=None, kind="time"):
        self.name, self.needs, self.script, self.prepare, self.kind = name, needs, script, prepare, kind

    def missing(self):
        return [p for p in self.needs if shutil.which(p) is None]


_REDIS = ("redis-server --port 7981 --save '' --daemonize no >/dev/null & s=$!; "
          "until redis-cli -p 7981 ping >/dev/null 2>&1; do sleep 0.05; done; "
          "redis-benchmark -p 7981 -q --csv -t {} -n {} -c 50 -P {} | tail -n 1 | cut -d'\"' -f4; "
          "kill $s; wait $s")

# A folder of its own: what root made natively, a guest cannot write to.
_NGINX = """d=$(mktemp -d) && cd $d && echo hello >index.html
printf 'daemon off; pid pid; error_log /dev/null; events {} http { access_log off; client_body_temp_path b; proxy_temp_path p;
fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s; server { listen 127.0.0.1:7982; root '$d'; } }' >conf
chmod 755 . && nginx -p . -c conf & s=$!
until bash -c ": </dev/tcp/127.0.0.1/7982" 2>/dev/null; do sleep 0.05; done
wrk -t1 -c64 -d2 http://127.0.0.1:7982/ | sed -n 's/^Requests.sec: *//p'; kill $s; wait $s; cd /; rm -rf $d"""

# $N pushes at once, each into a listener of its own. {}: the codecs of the pusher.
_PUSHES = """d=$(mktemp -d) && cd $d || exit 1
url=rtsp://127.0.0.1: i=0
while [ $i -lt $N ]; do
  ffmpeg -v error -nostdin -rtsp_flags listen -rtsp_transport tcp -i $url$((8600+i))/live/test -c copy -f mpegts $i.ts &
  i=$((i+1))
done
i=0
while [ $i -lt $N ]; do
  until grep -q ":$(printf %04X $((8600+i))) [0-9A-F]*:0000 0A " /proc/net/tcp; do sleep 0.05; done
  i=$((i+1))
done
begin=$(date +%s%N) i=0
while [ $i -lt $N ]; do
  ffmpeg -v error -nostdin -i $DATA {} -f rtsp -rtsp_transport tcp $url$((8600+i))/live/test &
  i=$((i+1))
done
wait
end=$(date +%s%N) i=0
while [ $i -lt $N ]; do [ -s $i.ts ] || exit 1; i=$((i+1)); done
cd / && rm -rf $d
echo $(((end-begin)/N)).0"""

APPS = [
    App("bash_1000_commands", ["bash"], "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done"),
    App("git_status", ["git"], "cd $DATA && git -c safe.directory='*' --no-optional-locks status --porcelain", _git_repository),
    App("git_log_p", ["git"], "cd $DATA && git -c safe.directory='*' --no-pager log -p >/dev/null", _git_repository),
    App("gcc_50_files", ["gcc", "make"], "cd $DATA && make -s -B -j2 all", _c_files),
    App("python3_start_x10", ["python3"],
        "for i in 0 1 2 3 4 5 6 7 8 9; do $(command -v /usr/bin/python3 || command -v python3) -c pass; done"),
    App("sqlite3_wal_inserts", ["sqlite3"],
        "rm -f bench.db bench.db-wal bench.db-shm; sqlite3 bench.db <$DATA >/dev/null", _sql),
    App("x264_encode", ["ffmpeg"],
        "ffmpeg -nostdin -v error -f lavfi -i testsrc=size=640x360:rate=25 -frames:v 150 -c:v libx264 -preset fast "
        "-f null -"),
    App("push", ["ffmpeg"], "N=1\n" + _PUSHES.format("-c:v libx264 -bf 0 -c:a aac"), _video),
    App("redis_get", ["redis-server", "redis-benchmark"], _REDIS.format("get", 20000, 1), kind="rate"),
    App("redis_set", ["redis-server", "redis-benchmark"], _REDIS.format("set", 20000, 1), kind="rate"),
    App("redis_get_pipelined", ["redis-server", "redis-benchmark"], _REDIS.format("get", 200000, 16), kind="rate"),
    App("redis_set_pipelined", ["redis-server", "redis-benchmark"], _REDIS.format("set", 200000, 16), kind="rate"),
    App("nginx_wrk", ["nginx", "wrk", "bash"], _NGINX, kind="rate"),
]

# Of scale: prints nanoseconds per push.
PUSHES = App("pushes", ["ffmpeg"], _PUSHES.format("-c copy"), _video)
