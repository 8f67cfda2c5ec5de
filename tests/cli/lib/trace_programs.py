"""What trace_agrees.py runs, and the lines that may differ."""
import re

# (pattern, class, why). A line of a class is compared by its class only.
ACCEPTED = [(re.compile(pattern), name, why) for pattern, name, why in (
    (r"^getppid\(\)", "getppid", "the parent of the first process is outside of the guest"),
    (r"^uname\(", "uname", "the guest has its own name and release"),
    (r"^sysinfo\(", "sysinfo", "the guest has its own memory, load and uptime"),
    (r"^f?statfs\(", "statfs", "the guest's root is an overlay"),
    (r"^READ\(proc\)", "proc", "file systems, addresses and limits differ"),
    (r"^(openat|open|readlink)\(.*\"/(proc|sys)/", "procfs", "what a kernel's own files hold"),
    (r"^newfstatat\(\d+, \"\", \{st_mode=S_IF(REG\|0444|DIR\|0500), st_size=\d+", "procstat", "sizes in proc and sys"),
    (r"^getrandom\(|^READ\(random\)", "random", "random bytes, those of perl, sqlite and git out of /dev/urandom"),
    (r'^write\(\d+, "(DIRC|.*", 20\) = 20$)', "index", "git's index holds dates and inode numbers, and its own checksum"),
    (r"^statx\(", "statx", "which fields come unasked depends on the version of the kernel"),
    (r"^brk\(", "brk", "where the heap begins decides how often it grows"),
    (r"^(munmap|mprotect|madvise)\(ADDR, ", "unmap", "how far addresses are from round ones decides the size"),
    (r"^futex\(", "futex", "whether somebody waits is a race"),
    (r"^(set_tid_address|rseq|set_robust_list)\(", "thread", "addresses in the thread's block"),
    (r"^prctl\(PR_CAPBSET_READ, CAP_\w+\) = [01]$", "bounding",
     "the guest's bounding set is its own; that of a host's root is emptied here"),
)]

# What starrydiff counts and may differ: (call, what its descriptor is or its arguments say, which of the classes above).
# It leaves out the others by itself.
DIFFERENCES = [(re.compile(call), re.compile(text), name) for call, text, name in (
    (r"uname", "", "uname"),
    (r"sysinfo", "", "sysinfo"),
    (r"f?statfs", "", "statfs"),
    (r"statx", "", "statx"),
    (r"read|pread64", r"^\"/(proc|sys)/", "proc"),
    (r"newfstatat|fstat", r"^\"/(proc|sys)/", "procstat"),
    (r"prctl", r"PR_CAPBSET_READ, CAP_\w+\) += [01]$", "bounding"),
    (r"prlimit64", r"RLIMIT_NOFILE, ", "limit"),
    (r"rt_sigaction", r"^SIGPIPE, ", "pipe"),
    (r"getrandom", r", 8, GRND_NONBLOCK\)", "random"),
)]
REASONS = {name: why for _, name, why in ACCEPTED} | {
    "limit": "the host's own limit of open files", "pipe": "how often curl(1) looks at its connection is a race"}


# How often each may be met in all the programs together, with room for other machines.
MOST = {"bounding": 12, "limit": 6, "proc": 42, "procstat": 4, "statfs": 4, "statx": 2, "uname": 2, "sysinfo": 2, "pipe": 8,
        "random": 4}


def sh(script):
    return ["sh", "-c", script]


# Programs with several children or threads at once: which of them ends first and who waits for whom is a race, so
# these lines are left out, and a clone(2) that the end of a child made begin again. mkstemp(3), which git uses, asks for
# random bits once more now and then.
RACING = re.compile(r"^(--- SIGCHLD|rt_sigreturn\(|wait4\(|clone\(.* ERESTARTNOINTR |futex\(|poll\(|getrandom\(|rt_sigaction\(SIGPIPE,)")
RACES = {"tr", "tee", "pipeline", "subshell", "xargs", "x264", "git", "curl", "prctl_basic"}

# A server of one answer, and curl(1) as its client.
SERVER = """
import _socket as s, os
l = s.socket(); l.setsockopt(s.SOL_SOCKET, s.SO_REUSEADDR, 1); l.bind(("127.0.0.1", 28473)); l.listen(1)
p = os.posix_spawn("/usr/bin/curl", ["curl", "-s", "http://127.0.0.1:28473/"], {"PATH": "/usr/bin"})
c = s.socket(fileno=l._accept()[0]); c.recv(4096)
c.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n"); c.close()
os._exit(os.waitpid(p, 0)[1])
"""
GIT = """export HOME=$PWD GIT_AUTHOR_DATE=2020-01-01T00:00:00Z GIT_COMMITTER_DATE=2020-01-01T00:00:00Z
git init -q r; cd r; echo a >f; touch -d 2020-01-01 f; git add f; git -c user.name=a -c user.email=a@b commit -qm x; git log --oneline"""
ENCODE = ["ffmpeg", "-v", "error", "-nostdin", "-filter_threads", "1", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=5", "-t", "1",
         "-c:v", "libx264", "-threads", "1", "-x264-params", "threads=1"]

PYTHON = ["python3", "-S", "-c"]  # not -I: see trace_agrees.py, traced()

PROGRAMS = [
    ("true", ["true"]),
    ("cat", ["cat", "/etc/passwd", "/nonexistent"]),
    ("echo", ["echo", "a", "b"]),
    ("head", ["head", "-n", "2", "/etc/passwd"]),
    ("tail", ["tail", "-n", "2", "/etc/passwd"]),
    ("wc", ["wc", "/etc/passwd"]),
    ("sort", ["sort", "--parallel=1", "/etc/passwd"]),
    ("cut", ["cut", "-d:", "-f1", "/etc/passwd"]),
    ("tr", sh("echo abc | tr a-c A-C")),
    ("md5sum", ["md5sum", "/etc/passwd"]),
    ("base64", ["base64", "/etc/hostname"]),
    ("dd", ["dd", "if=/etc/passwd", "of=copy", "bs=100", "count=3", "status=none"]),
    ("cp", ["cp", "/etc/passwd", "copy"]),
    ("mv", sh("echo x >a; mv a b; cat b")),
    ("ln", sh("echo x >a; ln a b; ln -s a c; readlink c")),
    ("mkdir", sh("mkdir -p a/b/c; rmdir a/b/c; rmdir a/b")),
    ("touch", ["touch", "-d", "2020-01-02 03:04:05", "a"]),
    ("chmod", sh("echo >a; chmod 600 a; chmod u+x a")),
    ("rm", sh("mkdir d; echo >d/a; echo >d/b; rm -r d")),
    ("stat", ["stat", "-c", "%a %F %s", "/etc/passwd"]),
    ("test", ["test", "-r", "/etc/passwd"]),
    ("pwd", ["pwd"]),
    ("env", ["env", "-i", "A=1", "/usr/bin/env"]),
    ("seq", ["seq", "1", "5"]),
    ("expr", ["expr", "3", "+", "4"]),
    ("sleep", ["sleep", "0.05"]),
    ("date", ["date", "-u", "-d", "@0"]),
    ("basename", ["basename", "/a/b"]),
    ("truncate", ["truncate", "-s", "1000", "a"]),
    ("dirname", ["dirname", "/a/b"]),
    ("tee", sh("echo abc | tee a >/dev/null")),
    ("cmp", ["cmp", "/etc/passwd", "/etc/group"]),
    ("od", ["od", "-c", "-N", "20", "/etc/passwd"]),
    ("sed", ["sed", "-n", "s/root/x/p", "/etc/passwd"]),
    ("grep", sh("grep -c root </etc/passwd")),
    ("awk", ["awk", "-F:", "{ print $1 }", "/etc/passwd"]),
    ("pipeline", sh("cat /etc/passwd | cut -d: -f1 | head -n 3")),
    ("here-document", sh("cat <<X\nline\nX")),
    ("signal", sh("trap 'echo caught' USR1; kill -USR1 $$; echo end")),
    ("killed", sh("kill -TERM $$")),
    ("background", sh("sleep 0.05 & wait $!; echo $?")),
    ("subshell", sh("(cd /; pwd); exec true")),
    ("perl", ["env", "PERL_HASH_SEED=0", "perl", "-e", "open F, '<', '/etc/hostname'; print <F>; exit 3"]),
    ("python", PYTHON + ["print(sum(range(10)))"]),
    ("python-files", PYTHON + ["import os; os.mkdir('d'); print(os.listdir('.')); os.rename('d', 'e'); os.rmdir('e')"]),
    ("python-sockets", PYTHON + ["import _socket as s; a, b = s.socketpair(); a.send(b'hello'); print(b.recv(9))"]),
    ("python-fork", PYTHON + ["import os\np = os.fork()\nif p == 0: os._exit(4)\nprint(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))"]),
    ("gzip", sh("cp /etc/passwd a; gzip -n a; gunzip a.gz")),
    ("openssl", ["openssl", "dgst", "-sha256", "/etc/passwd"]),
    ("sqlite", ["sqlite3", ":memory:", "create table t(a); insert into t values (1); select * from t;"]),
    ("ffprobe", ["ffprobe", "-v", "error", "-show_format", "VIDEO"]),
    ("x264", ENCODE + ["-f", "h264", "v.h264"]),
    ("git", sh(GIT)),
    ("curl", PYTHON + [SERVER]),
    ("find", sh("mkdir -p d/e; echo >d/f; find d -type f")),
    ("xargs", sh("echo a b | xargs -n 1 echo")),
    ("fd_dup", ["GUEST/fd_dup"]),
    ("prctl_basic", ["GUEST/prctl_basic"]),
    ("signal_actions", ["GUEST/signal_actions"]),
]
