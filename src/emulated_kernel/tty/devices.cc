// The device nodes of terminals, by number: /dev/tty, /dev/console, /dev/ptmx, /dev/pts/N.
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "emulated_kernel/tty/job_control.h"
#include "emulated_kernel/tty/pty.h"
#include "emulated_kernel/tty/terminal_file.h"
#include "vfs/devpts/devpts.h"
#include "vfs/special.h"

namespace starry {
namespace {

constexpr unsigned TTYAUX_MAJOR = 5;
constexpr int TTY_MINOR = 0, CONSOLE_MINOR = 1, PTMX_MINOR = 2;

Terminal* console = nullptr;

Result<Ref<File>> open_pts(Inode& inode, const Path&, int flags) {
  Terminal* tty = find_terminal(minor(inode.attr.rdev));
  if (tty == nullptr) return Error{EIO};
  return open_terminal(current(), *tty, flags);
}

Result<Ref<File>> open_controlling(Inode&, const Path&, int flags) {
  Terminal* tty = controlling_terminal(*current().group);
  if (tty == nullptr) return Error{ENXIO};
  return open_terminal(current(), *tty, flags | O_NOCTTY);
}

Result<Ref<File>> open_console_device(Inode&, const Path&, int flags) {
  if (console == nullptr) return Error{ENODEV};
  return open_terminal(current(), *console, flags | O_NOCTTY);
}

Result<Ref<File>> open_ptmx(Inode&, const Path&, int flags) {
  return PtyMaster::open(current(), flags & ~O_NOCTTY);
}

}  // namespace

void set_console(Terminal* t) { console = t; }

void tty_init() {
  register_chrdev(TTYAUX_MAJOR, TTY_MINOR, open_controlling);
  register_chrdev(TTYAUX_MAJOR, CONSOLE_MINOR, open_console_device);
  register_chrdev(TTYAUX_MAJOR, PTMX_MINOR, open_ptmx);
  register_chrdev(UNIX98_PTY_SLAVE_MAJOR, -1, open_pts);
  devpts_init();
}

}  // namespace starry
