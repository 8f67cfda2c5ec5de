#!/bin/sh
# syscall_docs.sh STARRYRUN: docs/syscalls.md and the table of quirks are what tools/syscall-docs makes.
exec "$(dirname "$0")/../../tools/syscall-docs" --check
