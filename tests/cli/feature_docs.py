#!/usr/bin/env python3
"""feature_docs.py STARRYRUN: every test that docs/features.md names is there."""
import glob
import os
import re
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDERS = {"guest": ("guest", (".c", ".cc", ".sh")), "cli": ("cli", (".py", ".sh")), "kernel": ("selftests", (".list",))}
UNITS = "".join(open(f, encoding="utf-8").read() for f in glob.glob(f"{TESTS}/unit/*.cc"))
rows = [line for line in open(f"{TESTS}/../docs/features.md", encoding="utf-8") if line.startswith("|")]


def there(kind, name):
    if kind in FOLDERS:
        folder, endings = FOLDERS[kind]
        return any(os.path.exists(f"{TESTS}/{folder}/{name}{e}") for e in endings)
    return re.search(rf"TEST(_F)?\({kind}, {r'[A-Za-z0-9]+' if name == '*' else name}\)", UNITS) is not None


missing, count = [], 0
for row in rows:
    cells = row.strip().strip("|").split("|")
    named = re.findall(r"\b([A-Za-z]\w+)\.(\w+|\*)", cells[-1])
    if not named and not re.match(r" *(-+|Tests) *$", cells[-1]):
        missing.append("no test: " + row.strip())
    for kind, name in named:
        count += 1
        if not there(kind, name):
            missing.append(f"{kind}.{name}")
print(f"{count} names in {len(rows)} rows")
for m in missing:
    print("WRONG " + m)
sys.exit(1 if missing or count < 100 else 0)
