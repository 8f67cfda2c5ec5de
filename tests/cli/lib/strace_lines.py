"""Logs of strace -f -o, normalised so that two runs of the same program can be compared line for line: the two
halves of calls joined, a list of lines per thread, threads named by their place in the tree of clones, and what
no two runs share (pids, addresses, times, inode numbers) replaced by a word."""
import re

UNFINISHED = re.compile(r"^(.*?) ?<unfinished \.\.\.>$")
RESUMED = re.compile(r"^<\.\.\. (\S+) resumed>(.*)$")
CLONE = re.compile(r"^(clone|clone3|fork|vfork)\(.*\)\s+= (\d+)$")
RESULT_GAP = re.compile(r"\) {2,}= ")

# Where process and thread numbers stand.
PIDS = [re.compile(p) for p in (
    r"^(?:clone|clone3|fork|vfork|wait4|waitid|getpid|gettid|getppid|getpgrp|getpgid|getsid|setsid|set_tid_address"
    r"|rt_sigreturn)\(.*\)\s+= (?P<pid>\d+)$",
    r"^(?:kill|tkill|tgkill|wait4|setpgid|getpgid|getsid|prlimit64|pidfd_open|sched_\w+|rt_\w*sigqueueinfo)\(-?(?P<pid>\d+),",
    r"^tgkill\(\w+(?:\.\d+)*, (?P<pid>\d+),",
    r"^setpgid\(\w+(?:\.\d+)*, (?P<pid>\d+)\)",
    r"\b(?:si_pid|pid|parent_tid|l_pid)=\[?(?P<pid>\d+)\b",
    r"TIOC[GS]PGRP, \[(?P<pid>\d+)\]",
    r"/proc/(?P<pid>\d+)\b",
    r"^waitid\(P_PID, (?P<pid>\d+),",
)]

# (pattern, replacement), applied in this order outside of nothing: strings are rarely like these.
WORDS = [
    (re.compile(r"0x[0-9a-f]{6,16}\b"), "ADDR"),
    (re.compile(r"tv_sec=-?\d+, tv_(n|u)sec=\d+(\})?( /\* \d{4}-[^*]* \*/)?"), r"tv_sec=T, tv_\1sec=T\2"),
    (re.compile(r'(\.git/(?:t|objects/(?:\w\w/)?tmp_obj_))\w{6}"'), r'\1RANDOM"'),
    (re.compile(r"(st_ino|stx_ino|d_ino|d_off|f_bfree|f_bavail|f_ffree|f_blocks|f_files|f_namelen|si_utime|si_stime"
                r"|uptime|freeram|bufferram|freeswap|totalswap|totalram|sharedram|procs|loads)=(\[[^]]*\]|-?\d+)"),
     r"\1=N"),
    (re.compile(r"(si_[us]time)=N /\* [^*]* \*/"), r"\1=N"),
    (re.compile(r"(st_[amc]time(?:_nsec)?)=\d+( /\* [^*]* \*/)?"), r"\1=T"),
    (re.compile(r"(stx_[abcm]time)=\{[^}]*\}( /\* [^*]* \*/)?"), r"\1=T"),
    (re.compile(r"val=\[[^]]*\]"), "val=[N]"),
    (re.compile(r'^(getrandom\()".*", '), r"\1RANDOM, "),
    (re.compile(r"^(brk|mmap|mremap|shmat)\((.*)\) = ADDR$"), r"\1(\2) = ADDR"),
    (re.compile(r"\b(pipe|socket|anon_inode):\[\d+\]"), r"\1:[N]"),
    (re.compile(r"^(time\(.*\)) = \d+ \(.*\)$"), r"\1 = T"),
    # Ports that the kernel chose.
    (re.compile(r"htons\((3[3-9]|[456]\d)\d{3}\)"), "htons(PORT)"),
    # The host's own limits; what a program sets in their place is a small number.
    (re.compile(r"(RLIMIT_NOFILE, .*rlim_cur=)(?:\d{3,}|\d+\*1024)"), r"\1LIMIT"),
    (re.compile(r"(RLIMIT_NOFILE, .*rlim_max=)(?:\d+(?:\*1024)?|RLIM64_INFINITY)"), r"\1LIMIT"),
]


# Files whose contents are a kernel's own, and what a read of one is called.
OPENED = re.compile(r'^open(?:at)?\((?:\w+, )?"(/proc/|/sys/|/dev/u?random").*\) = (\d+)$')
READ = re.compile(r"^p?read(?:64)?\((\d+), ")
CLOSED = re.compile(r"^close\((\d+)\)")


def own_contents(lines):
    """Reads of such files become READ(proc) or READ(random), several in a row one: how long they are differs too."""
    open_files, out = {}, []
    for line in lines:
        if match := OPENED.match(line):
            open_files[match.group(2)] = "random" if match.group(1).startswith("/dev") else "proc"
        elif match := CLOSED.match(line):
            open_files.pop(match.group(1), None)
        elif (match := READ.match(line)) and match.group(1) in open_files:
            line = f"READ({open_files[match.group(1)]})"
            if out[-1] == line:
                continue
        out.append(line)
    return out


MOST_BEFORE_WAIT = 8  # calls of a shell between fork and wait


class Thread:
    def __init__(self, name):
        self.name, self.lines, self.children = name, [], 0


def result_of(line):
    return line.rpartition(" = ")[2].split(" ")[0]


def wait_first(lines):
    """A child that ends before its parent waits for it is told of before that wait and not during it: natively that
    is a race. The wait, and what the parent does until then, is put first, as it nearly always is; all lines stay.
    rt_sigreturn(2) gives back what the call before the signal returned, which is then the wait."""
    i = 1
    while i < len(lines) - 2:
        if (lines[i].startswith("--- SIGCHLD") and not lines[i - 1].startswith("wait4(") and
                lines[i + 1].startswith("rt_sigreturn(") and
                result_of(lines[i + 1]) == result_of(lines[i - 1])):
            for j in range(i + 2, min(i + 2 + MOST_BEFORE_WAIT, len(lines))):
                if lines[j].startswith("--- "):
                    break
                if lines[j].startswith("wait4("):
                    told = [lines[i], lines[i + 1].rpartition(" = ")[0] + " = " + result_of(lines[j])]
                    lines[i:j + 1] = lines[i + 2:j + 1] + told
                    i = j
                    break
        i += 1
    return lines


def threads(text):
    """The lines of a log by thread: {name: [line, ...]} with names like 0, 0.1, 0.1.2."""
    by_pid, open_calls, order = {}, {}, []
    names = {}
    joined = []
    for line in text.splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.lstrip(" ")
        cut = UNFINISHED.match(rest)
        resumed = RESUMED.match(rest)
        if resumed and pid in open_calls:
            at, head = open_calls.pop(pid)
            joined[at] = (pid, head + resumed.group(2))
        elif cut:
            open_calls[pid] = (len(joined), cut.group(1))
            joined.append((pid, rest))
        else:
            joined.append((pid, rest))
    for pid, rest in joined:
        if pid not in by_pid:
            if pid not in names:
                names[pid] = "0" if not names else f"?{len(names)}"
            by_pid[pid] = Thread(names[pid])
            order.append(pid)
        made = CLONE.match(rest)
        if made and made.group(2) not in names:
            by_pid[pid].children += 1
            names[made.group(2)] = f"{by_pid[pid].name}.{by_pid[pid].children}"
    # A child may speak before its parent's clone(2) has returned.
    for pid in order:
        by_pid[pid].name = names[pid]
    def named(match):
        number, whole = match.group("pid"), match.group(0)
        if number not in names:
            return whole
        begin = match.start("pid") - match.start()
        return whole[:begin] + "PID" + names[number] + whole[begin + len(number):]

    for pid, rest in joined:
        for where in PIDS:
            rest = where.sub(named, rest)
        by_pid[pid].lines.append(normal(rest))
    return {t.name: own_contents(wait_first(t.lines)) for t in by_pid.values()}


def normal(line):
    for pattern, word in WORDS:
        line = pattern.sub(word, line)
    return RESULT_GAP.sub(") = ", line)
