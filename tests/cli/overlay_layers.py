#!/usr/bin/env python3
"""overlay_layers.py STARRYRUN: copy-up, whiteouts, opaque directories and hard links over layers.

The same steps run natively on Linux's overlayfs, mounted in a name space of its own, and in guests, each step in a
mount or run of its own with the same upper layer: what the two see must be the same, and the lower layer stays as
it was."""
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from world import DIR, ENV, SKIPPED, check, default_signals, finish, run

# What can be seen of the tree below "."; inode numbers only as who shares one with whom. Link counts of directories
# are left out: overlayfs has 1 for all that are merged.
LOOK = r"""
find . -mindepth 1 -printf '%P %y %m %n %s %l\n' | sort | sed '/ d /s/ [0-9]* [0-9]* *$//'
find . -type f | sort | xargs grep -H "" 2>/dev/null
find . -type f -printf '%i %P\n' | sort | awk '$1 == last { print name, "is", $2 } { last = $1; name = $2 }' | sort
"""
STEPS = [
    ("whiteouts", "rm gone link_to_file deep/er/leaf; mkfifo gone; rm gone; ls gone deep/er/leaf 2>&1 | sed 's/.*: //'"),
    ("made again", "echo new >gone; echo again >deep/er/leaf; cat gone deep/er/leaf"),
    ("opaque directory", "rm -r tree; mkdir tree; ls -A tree; echo own >tree/own"),
    ("opaque in the next run", "ls -A tree; cat tree/a 2>&1 | sed 's/.*: //'; rmdir tree 2>&1 | sed 's/.*: //'"),
    ("gone for good", "rm -r tree; ls tree 2>&1 | sed 's/.*: //'; ls"),
    ("copy-up", "echo more >>file; chmod 600 mode; touch -d @1000000000 time; ln -s file link2; truncate -s 3 cut; cat file cut"),
    ("hard links of the lower layer", "stat -c '%h' one two other; echo written >>one; cat two; rm other; stat -c '%h' one two"),
    ("hard links, next run", "echo again >>two; cat one; ln one three; stat -c '%h' one three; ls -i one two three | awk '{print $1}' | uniq | wc -l"),
    ("a new link to a lower file", "ln plain plain2; echo both >>plain2; cat plain"),
    ("renames", "mv deep moved; mv moved/er moved/here; mv dir_a tmp; mv dir_b dir_a; mv tmp dir_b; cat moved/here/leaf dir_a/b dir_b/a"),
    ("a directory over a file", "rm file; mkdir file; echo in >file/in; rm -r dir_a; echo now a file >dir_a; cat file/in dir_a"),
    ("names that stay hidden", "rm file/in; rmdir file; rm dir_a; ls file dir_a 2>&1 | sed 's/.*: //'"),
    ("many", "for i in $(seq 15); do echo $i >many/new$i; rm many/$i; done; ls many | wc -l; ls many | sort | md5sum"),
    ("open while removed", "exec 3<>kept; rm kept; echo still >&3; cat /proc/self/fd/3; ls kept 2>&1 | sed 's/.*: //'"),
]


def make(top):
    def put(name, text):
        os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
        with open(f"{top}/{name}", "w") as f:
            f.write(text)
    for name in ("gone", "file", "mode", "time", "cut", "deep/er/leaf", "deep/other", "tree/a", "tree/b/c", "tree/own", "dir_a/a",
                 "dir_b/b", "one", "plain", "kept"):
        put(name, f"lower {name}\n")
    os.symlink("file", f"{top}/link_to_file")
    for name in ("two", "other"):
        os.link(f"{top}/one", f"{top}/{name}")
    for i in range(1, 31):
        put(f"many/{i}", "x")
    for where, dirs, files in os.walk(top):
        os.chown(where, 1000, 1000) if os.getuid() == 0 else None
        for f in files:
            os.chown(f"{where}/{f}", 1000, 1000, follow_symlinks=False) if os.getuid() == 0 else None


def sh(script, where):
    as_user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"] if os.getuid() == 0 else []
    p = subprocess.run([*as_user, "bash", "-c", "umask 022; " + script], cwd=where, env=ENV, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=default_signals, timeout=30)
    return p.stdout.decode(errors="replace").splitlines()


def native(script):
    """In overlayfs. Its root is the user here: what root may do more is not asked for."""
    mount = f"mount -t overlay overlay -o lowerdir={DIR}/lower,upperdir={DIR}/n/up,workdir={DIR}/n/work,userxattr {DIR}/n/merged"
    return sh(f"unshare -Urm bash -c {shlex.quote(f'{mount} && cd {DIR}/n/merged || exit 9; umask 022; {script}')}", DIR)


def guest(script, where, *options):
    p = run("-q", "--upper", f"{DIR}/upper", *options, "bash", "-c", "umask 022; " + script, cwd=where, stderr=subprocess.STDOUT)
    return p.stdout.decode(errors="replace").splitlines()


def compare(what, ours, theirs):
    if ours == theirs:
        check(what, ours, theirs)
    else:  # line by line, so that the difference is seen
        check(what + ": lines", len(ours), len(theirs))
        for mine, wanted in zip(ours, theirs):
            if mine != wanted:
                check(f"{what}: {wanted}", mine, wanted)


os.umask(0o022)
make(f"{DIR}/lower")
for sub in ("", "/up", "/work", "/merged"):
    os.mkdir(f"{DIR}/n{sub}")
    if os.getuid() == 0:
        os.chown(f"{DIR}/n{sub}", 1000, 1000)
before = sh(LOOK, f"{DIR}/lower")
if native("echo works") != ["works"]:
    print("SKIPPED: no overlayfs for an ordinary user here: " + " ".join(native("echo works")))
    sys.exit(SKIPPED)
for name, script in STEPS:
    compare(name, guest(script, f"{DIR}/lower"), native(script))
compare("the tree at the end", guest(LOOK, f"{DIR}/lower"), native(LOOK))
compare("the lower layer", sh(LOOK, f"{DIR}/lower"), before)
finish()
