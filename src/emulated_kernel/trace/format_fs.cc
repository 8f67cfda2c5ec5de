// Files: stat, statx, statfs, modes and flags.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "emulated_kernel/abi/syscall_types.h"
#include "emulated_kernel/trace/printer.h"

namespace starry::trace {

void print_device(Printer& p, uint64_t dev) {
  p.put("makedev(");
  p.number_hex(major(dev));
  p.put(", ");
  p.number_hex(minor(dev));
  p.put(")");
}

void print_file_mode(Printer& p, uint32_t mode) {
  const uint32_t type = mode & S_IFMT;
  const char* name = value_name(FlagFamily::file_type, type);
  if (name == nullptr || p.names != XlatStyle::ABBREV) p.octal(mode);
  if (name == nullptr || p.names == XlatStyle::RAW) return;
  if (p.names == XlatStyle::VERBOSE) p.put(" /* ");
  p.put(name);
  if ((mode & 07000) != 0) append_more_flags(p.out, FlagFamily::mode_bits, mode & 07000);
  p.put("|");
  append_octal(p.out, mode & 0777);
  if (p.names == XlatStyle::VERBOSE) p.put(" */");
}

void print_open_flags(Printer& p, uint64_t flags) {
  p.composite(flags, [&] {
    p.name(FlagFamily::open_access, flags & O_ACCMODE);
    p.more_flags(FlagFamily::open_flags, flags & ~static_cast<uint64_t>(O_ACCMODE));
  });
}

void format_OPEN_MODE(Printer& p) {
  constexpr uint64_t TMPFILE = O_TMPFILE & ~O_DIRECTORY;
  if ((p.arg(p.index - 1) & (O_CREAT | TMPFILE)) == 0)
    p.omit();
  else
    p.octal(static_cast<uint32_t>(p.value()));
}

void format_FILE_MODE(Printer& p) { print_file_mode(p, static_cast<uint32_t>(p.value())); }

void format_DEV_ARG(Printer& p) {
  // Only device nodes have a number; ustat(2) has no mode before it.
  if (p.index > 0) {
    auto type = p.arg(p.index - 1) & S_IFMT;
    if (type != S_IFCHR && type != S_IFBLK) {
      p.omit();
      return;
    }
  }
  print_device(p, p.value());
}

void format_STAT(Printer& p) {
  struct stat s;
  if (!p.fetch(s)) return;
  const bool device = S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode);
  p.put("{");
  if (!p.abbreviated) {
    p.put("st_dev=");
    print_device(p, s.st_dev);
    p.print(", st_ino={}, ", s.st_ino);
  }
  p.put("st_mode=");
  print_file_mode(p, s.st_mode);
  if (!p.abbreviated)
    p.print(", st_nlink={}, st_uid={}, st_gid={}, st_blksize={}, st_blocks={}", s.st_nlink, s.st_uid,
            s.st_gid, s.st_blksize, s.st_blocks);
  if (device) {
    p.put(", st_rdev=");
    print_device(p, s.st_rdev);
  } else {
    p.print(", st_size={}", s.st_size);
  }
  if (p.abbreviated) {
    p.put(", ...}");
    return;
  }
  auto time = [&p](const char* name, const timespec& t) {
    p.print(", {}={}", name, t.tv_sec);
    p.put(" /* ");
    append_date(p.out, t.tv_sec, t.tv_nsec, 9);
    p.print(" */, {}_nsec={}", name, t.tv_nsec);
  };
  time("st_atime", s.st_atim);
  time("st_mtime", s.st_mtim);
  time("st_ctime", s.st_ctim);
  p.put("}");
}

void format_STATX_FLAGS(Printer& p) {
  constexpr uint64_t SYNC_TYPE = 0x6000;
  p.composite(p.value(), [&] {
    p.flags(FlagFamily::statx_sync, p.value() & SYNC_TYPE);
    p.more_flags(FlagFamily::at_flags, p.value() & ~SYNC_TYPE);
  });
}

void format_SWAP_FLAGS(Printer& p) {
  constexpr uint64_t PRIORITY = 0x7fff;
  p.flags(FlagFamily::swap_flags, p.value() & ~PRIORITY);
  if ((p.value() & PRIORITY) != 0) p.print("|{}", p.value() & PRIORITY);
}

void format_STATX_MASK(Printer& p) { p.flags(FlagFamily::statx_mask, p.value()); }

void format_STATX(Printer& p) {
  struct statx s;
  if (!p.fetch(s)) return;
  p.put("{stx_mask=");
  p.flags(FlagFamily::statx_mask, s.stx_mask);
  if (!p.abbreviated) p.print(", stx_blksize={}", s.stx_blksize);
  p.put(", stx_attributes=");
  p.flags(FlagFamily::statx_attributes, s.stx_attributes);
  if (!p.abbreviated) p.print(", stx_nlink={}, stx_uid={}, stx_gid={}", s.stx_nlink, s.stx_uid, s.stx_gid);
  p.put(", stx_mode=");
  print_file_mode(p, s.stx_mode);
  if (!p.abbreviated) p.print(", stx_ino={}", s.stx_ino);
  p.print(", stx_size={}", s.stx_size);
  if (p.abbreviated) {
    p.put(", ...}");
    return;
  }
  p.print(", stx_blocks={}, stx_attributes_mask=", s.stx_blocks);
  p.flags(FlagFamily::statx_attributes, s.stx_attributes_mask);
  auto time = [&p](const char* name, const statx_timestamp& t) {
    p.print(", {}={{tv_sec={}, tv_nsec={}}} /* ", name, t.tv_sec, t.tv_nsec);
    append_date(p.out, t.tv_sec, t.tv_nsec, 9);
    p.put(" */");
  };
  time("stx_atime", s.stx_atime);
  time("stx_btime", s.stx_btime);
  time("stx_ctime", s.stx_ctime);
  time("stx_mtime", s.stx_mtime);
  p.print(", stx_rdev_major={}, stx_rdev_minor={}, stx_dev_major={}, stx_dev_minor={}}}", s.stx_rdev_major,
          s.stx_rdev_minor, s.stx_dev_major, s.stx_dev_minor);
}

void format_STATFS(Printer& p) {
  struct statfs s;
  if (!p.fetch(s)) return;
  p.put("{f_type=");
  p.name(FlagFamily::statfs_magic, static_cast<uint64_t>(s.f_type));
  p.print(", f_bsize={}, f_blocks={}, f_bfree={}, f_bavail={}, f_files={}, f_ffree={}, f_fsid={{val=[",
          s.f_bsize, s.f_blocks, s.f_bfree, s.f_bavail, s.f_files, s.f_ffree);
  p.number_hex(static_cast<uint32_t>(s.f_fsid.__val[0]));
  p.put(", ");
  p.number_hex(static_cast<uint32_t>(s.f_fsid.__val[1]));
  p.print("]}}, f_namelen={}, f_frsize={}, f_flags=", s.f_namelen, s.f_frsize);
  p.flags(FlagFamily::statfs_flags, static_cast<uint64_t>(s.f_flags));
  p.put("}");
}

void format_OPEN_HOW(Printer& p) {
  GuestOpenHow how{};
  uint64_t size = p.arg(p.spec.args[p.index].spec.len_arg);
  if (size < sizeof how) {
    p.address(p.value());
    return;
  }
  if (!p.fetch(how)) return;
  p.put("{flags=");
  print_open_flags(p, how.flags);
  constexpr uint64_t TMPFILE = O_TMPFILE & ~O_DIRECTORY;
  if (how.mode != 0 || (how.flags & (O_CREAT | TMPFILE)) != 0) {
    p.put(", mode=");
    p.octal(static_cast<uint32_t>(how.mode));
  }
  p.put(", resolve=");
  p.flags(FlagFamily::resolve_flags, how.resolve);
  if (size > sizeof how) p.put(", ...");
  p.put("}");
}

void format_MEMFD_FLAGS(Printer& p) {
  constexpr uint64_t KNOWN_LOW = 0x7, HUGE_SHIFT = 26, HUGE_MASK = 0x3f;
  uint64_t v = p.value(), huge = v >> HUGE_SHIFT & HUGE_MASK;
  uint64_t plain = v & ~(HUGE_MASK << HUGE_SHIFT);
  if (huge == 0 || (v & KNOWN_LOW & 4) == 0) {
    p.flags(FlagFamily::memfd_flags, v);
    return;
  }
  p.flags(FlagFamily::memfd_flags, plain);
  p.print("|{}<<MFD_HUGE_SHIFT", huge);
}

void format_MOUNT_DATA(Printer& p) { p.c_string(p.value(), p.opt.string_limit); }

void format_FCNTL_ARG(Printer& p) {
  struct GuestFlock {
    int16_t type, whence;
    int32_t pad;
    int64_t start, len;
    int32_t pid;
  };
  auto print_flock = [&p](bool with_pid) {
    GuestFlock l{};
    if (!p.load(p.value(), l)) return;
    p.put("{l_type=");
    p.name(FlagFamily::fcntl_lock_type, static_cast<uint64_t>(l.type));
    p.put(", l_whence=");
    p.name(FlagFamily::seek_whence, static_cast<uint64_t>(l.whence));
    p.print(", l_start={}, l_len={}", l.start, l.len);
    if (with_pid) p.print(", l_pid={}", l.pid);
    p.put("}");
  };
  const uint64_t cmd = p.arg(1);
  switch (cmd) {
    case F_SETFD:
      p.flags(FlagFamily::fcntl_fd_flags, p.value());
      break;
    case F_SETFL:
      print_open_flags(p, p.value());
      break;
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
      print_flock(false);
      break;
    case F_GETLK:
    case F_OFD_GETLK:
      if (p.entry())
        p.defer();
      else if (p.failed())
        p.address(p.value());
      else
        print_flock(true);
      break;
    case F_SETOWN_EX:
    case F_GETOWN_EX: {
      if (cmd == F_GETOWN_EX && p.entry()) {
        p.defer();
        break;
      }
      struct {
        int32_t type, pid;
      } owner{};
      if (!p.load(p.value(), owner)) break;
      p.put("{type=");
      p.name(FlagFamily::fcntl_owner_type, static_cast<uint64_t>(owner.type));
      p.print(", pid={}}}", owner.pid);
      break;
    }
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_SETOWN:
    case F_SETPIPE_SZ:
      p.print("{}", static_cast<int64_t>(p.value()));
      break;
    case F_SETSIG:
      print_signal_or_zero(p, p.value());
      break;
    case F_SETLEASE:
      p.name(FlagFamily::fcntl_lock_type, p.value());
      break;
    case F_ADD_SEALS:
      p.flags(FlagFamily::fcntl_seals, p.value());
      break;
    case F_GETFD:
    case F_GETFL:
    case F_GETOWN:
    case F_GETSIG:
    case F_GETLEASE:
    case F_GETPIPE_SZ:
    case F_GET_SEALS:
      p.omit();
      break;
    default:
      p.number_hex(p.value());
      break;
  }
}

}  // namespace starry::trace
